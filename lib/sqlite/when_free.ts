import { DatabaseError } from "./errors.ts";

/** How often a lock that is held is tried again: a change waits for it half of that longer than needed. */
const RETRY_MS = 20;

/** How long {@link whenFree} waits. */
export interface WaitOptions {
  /** On the clock of `performance.now()`; in the past: one try. */
  readonly until: number;
  /** Each ends the waiting with its reason. */
  readonly signals?: readonly AbortSignal[];
}

/**
 * Runs a step that needs the write lock as soon as no other process holds it. The thread goes on in
 * between: SQLite's own waiting would stop everything else that it does. A step that met the lock has
 * done nothing, because each begins with taking it.
 *
 * @throws {DatabaseError} `locked` when the time is over.
 */
export async function whenFree<T>(body: () => T | Promise<T>, options: WaitOptions): Promise<T> {
  const { until, signals = [] } = options;
  for (;;) {
    for (const signal of signals) signal.throwIfAborted();
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.code !== "locked") throw error;
      if (performance.now() >= until) throw error;
    }
    await sleep(RETRY_MS, signals);
  }
}

/** Resolves after a time, or as soon as one of the signals is aborted. */
function sleep(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    for (const signal of signals) signal.addEventListener("abort", finish);
  });
}
