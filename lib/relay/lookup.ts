import dns from "node:dns";

/** Resolves a name to its addresses in the resolver's order. */
export type Lookup = (host: string) => Promise<string[]>;

/**
 * Lets those who ask for a name while it is being resolved share one answer; nothing is kept after
 * that. The system's resolver blocks a thread for each question, of 32, and cannot be cancelled: one
 * name whose name server is silent would else take them all, and with them every other backend.
 */
export function shareLookups(lookup: Lookup): Lookup {
  const pending = new Map<string, Promise<string[]>>();
  return (host) => {
    const shared = pending.get(host);
    if (shared !== undefined) return shared;
    const answer = lookup(host).finally(() => pending.delete(host));
    pending.set(host, answer);
    return answer;
  };
}

/** The system's resolver: hosts file and DNS, every address, in the system's order (RFC 6724). */
export const systemLookup: Lookup = shareLookups(async (host) => {
  const found = await dns.promises.lookup(host, { all: true, verbatim: true });
  return found.map((entry) => entry.address);
});
