import { RefusedError } from "../queue/mod.ts";

/**
 * Refuses a change that was made for another state than this.
 *
 * @throws {RefusedError} `aborted`
 */
export function refuseOtherRevision(revision: number, wanted: number | undefined): void {
  if (wanted === undefined || wanted === revision) return;
  throw new RefusedError("aborted", `the state is at revision ${revision}, not ${wanted}`);
}

/** A change was made for a state that the group has left behind: it is to be made anew. */
export class StaleError extends Error {
  override readonly name = "StaleError";

  /** @param revision that the group is said to be at. */
  constructor(revision: number) {
    super(`the group is at revision ${revision}`);
  }
}
