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
