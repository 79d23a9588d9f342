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

/** How often {@link eventually} looks again. */
const POLL_MS = 10;

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
  const deadline = performance.now() + ms;
  while (!await condition()) {
    if (performance.now() > deadline) {
      throw new DeadlineError(`${what}: did not happen within ${ms} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
