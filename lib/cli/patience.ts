import { statSync } from "node:fs";

/** In octets: a smaller database is read well within the time that a unit gives every start. */
const LARGE_DATABASE = 8 * 1024 * 1024;
/** What a unit gives every start. */
const MIN_START_MS = 60_000;
/**
 * For checking, reading and compiling: 20 s of processor time for 100 MB, which are a million rules and
 * 100,000 routes, on a machine that has ten times as much to do.
 */
const START_MS_PER_MB = 2_000;

/**
 * How long a start with this database may take, where that is longer than for others: who is killed in
 * the middle of a long start, and started anew, never comes to its end.
 */
export function patienceFor(database: string): number | undefined {
  if (database === "") return undefined; // In memory.
  const size = statSync(database, { throwIfNoEntry: false })?.size ?? 0;
  return size < LARGE_DATABASE ? undefined : MIN_START_MS + size / 1e6 * START_MS_PER_MB;
}
