import { formatIp, parseHostname, parseIp } from "../addr/mod.ts";

/** resolv.conf(5): `MAXNS`, `MAXDNSRCH` and the bounds of the options. */
const MAX_SERVERS = 3;
const MAX_SEARCH = 6;
const MAX_NDOTS = 15;
const MAX_TIMEOUT_S = 30;
const MAX_ATTEMPTS = 5;

/** What resolv.conf(5) says of whom to ask, and how. */
export interface ResolvConf {
  /** Addresses, in the order in which they are asked. */
  readonly servers: readonly string[];
  /** Domains that are tried after a name. */
  readonly search: readonly string[];
  /** A name with so many dots is tried as it is first. */
  readonly ndots: number;
  /** How long a server may take to answer; absent: not said. */
  readonly timeoutMs: number | undefined;
  /** How often each server is asked. */
  readonly attempts: number;
}

/** Reads resolv.conf(5); what is not understood is skipped, as the system's resolver does. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: string[] = [];
  const options = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [keyword = "", ...words] = line.replace(/[#;].*/, "").trim().split(/\s+/);
    if (keyword === "nameserver") {
      const ip = parseIp(words[0] ?? "");
      if (ip.ok && servers.length < MAX_SERVERS) servers.push(formatIp(ip.value));
    } else if (keyword === "search" || keyword === "domain") {
      // The last one counts.
      search = words.map(parseHostname).flatMap((name) => name.ok ? [name.value] : [])
        .slice(0, MAX_SEARCH);
    } else if (keyword === "options") {
      for (const word of words) {
        const [, name = "", value = ""] = /^(ndots|timeout|attempts):([0-9]{1,4})$/.exec(word) ??
          [];
        if (name !== "") options.set(name, Number(value));
      }
    }
  }
  const timeout = options.get("timeout");
  return {
    // resolv.conf(5): without one, the server on this machine.
    servers: servers.length > 0 ? servers : ["127.0.0.1"],
    search,
    ndots: Math.min(options.get("ndots") ?? 1, MAX_NDOTS),
    timeoutMs: timeout === undefined
      ? undefined
      : Math.min(Math.max(timeout, 1), MAX_TIMEOUT_S) * 1000,
    attempts: Math.min(Math.max(options.get("attempts") ?? 2, 1), MAX_ATTEMPTS),
  };
}
