import { formatIp, parseHostname, parseIp } from "../addr/mod.ts";

/** Lines of a hosts file beyond this are not read: some block lists are this long, no longer. */
const MAX_LINES = 100_000;

/**
 * The addresses of each name in a hosts file (hosts(5)), canonical, in the file's order. Lines that
 * are not valid are skipped, as the system's resolver does.
 */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n", MAX_LINES)) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const ip = parseIp(address.replace(/%.*/, ""));
    if (!ip.ok) continue;
    const canonical = formatIp(ip.value);
    for (const text of names) {
      const name = parseHostname(text);
      if (!name.ok) continue;
      const known = hosts.get(name.value) ?? [];
      if (!known.includes(canonical)) hosts.set(name.value, [...known, canonical]);
    }
  }
  return hosts;
}
