import type { Operation } from "./operation.ts";
import type { Applied } from "./state_administration.ts";
import type { StateSource } from "./state_source.ts";

/** How files are read again. */
export interface ReloadRequest extends Pick<Operation, "signal" | "onPending"> {
  /** Say what would change and change nothing. */
  readonly dryRun: boolean;
  /** Close connections of routes that change. */
  readonly close: boolean;
  /** Refuse unless the state is at this revision. */
  readonly ifRevision?: number | undefined;
}

/** What reading files again has brought. */
export interface Reloaded {
  readonly source: StateSource;
  /** What the file has changed, where that is the truth. */
  readonly applied: Applied | undefined;
  /** Files that were not taken, so that something older is in use; one sentence each. */
  readonly refusals: readonly string[];
  /** Settings of the process that differ from those that it was started with, such as `log`. */
  readonly restartNeeded: readonly string[];
}

/**
 * Reads the files again.
 *
 * @throws {RefusedError} if the file that is the truth does not hold, or cannot be applied.
 */
export type Reload = (request: ReloadRequest) => Promise<Reloaded>;
