/** None; echo, daytime, quotes, characters and time, which answer whatever comes (as BIND drops). */
const NEVER_ASK: ReadonlySet<number> = new Set([0, 7, 13, 17, 19, 37]);

/** Whether no question comes from a port: an answer to it would be answered in turn, or go nowhere. */
export function neverAsks(port: number): boolean {
  return NEVER_ASK.has(port);
}
