import type { ZoneChange } from "../zones/mod.ts";

/** Whoever answers questions: the workers, or nobody yet. */
export interface DnsPlane {
  /**
   * Makes a change, everywhere or nowhere.
   *
   * @returns which workers are late with it: they make it when they turn to it.
   */
  apply(change: ZoneChange): Promise<{ readonly pendingWorkers: readonly number[] }>;
}

/** A plane of nobody: for commands that change a database without serving it. */
export const NO_PLANE: DnsPlane = {
  apply: () => Promise.resolve({ pendingWorkers: [] }),
};
