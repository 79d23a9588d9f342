/**
 * Deadlines for tests: nothing waits forever, and a late answer says what was waited for.
 *
 * @module
 */

/**
 * Long enough for a machine with two cores that twenty others want; only a failing test ever waits this
 * long.
 */
export const DEADLINE_MS = 60_000;

/** How often {@link eventually} looks again: soon at first, and not so often that looking is the work. */
const POLL = { ms: 10, laterMs: 30, laterAfterMs: 500 } as const;

/** Thrown when something did not happen in time. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly code = "DEADLINE";
}

/** The value of `promise`, or a {@link DeadlineError} naming `what` after `ms`. */
export async function withinDeadline<T>(
  promise: Promise<T>,
  what: string,
  ms: number = DEADLINE_MS,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DeadlineError(`${what}: did not happen within ${ms} ms`)),
    ms,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds, looking every few milliseconds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms: number = DEADLINE_MS,
): Promise<void> {
  const start = performance.now();
  while (!await condition()) {
    const waited = performance.now() - start;
    if (waited > ms) throw new DeadlineError(`${what}: did not happen within ${ms} ms`);
    const pause = waited < POLL.laterAfterMs ? POLL.ms : POLL.laterMs;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
