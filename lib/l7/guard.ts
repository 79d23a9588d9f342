/**
 * Wraps methods so that what they throw goes to `onError` and no further: the caller is an event of
 * a socket that others share, and nobody above it could tell whose fault it was.
 */
export function guardMethods<T extends object, K extends keyof T>(
  prototype: T,
  names: readonly K[],
  onError: (self: T, error: unknown) => void,
): void {
  for (const name of names) {
    // None has more than two parameters; a list of them would be made for each call.
    const method = prototype[name] as (a: unknown, b: unknown) => unknown;
    const guarded = function (this: T, a: unknown, b: unknown): unknown {
      try {
        return method.call(this, a, b);
      } catch (error) {
        onError(this, error);
        return undefined;
      }
    };
    prototype[name] = guarded as T[K];
  }
}

/** Does each of the steps, any of which may throw; whether none has. */
export function everyStep(steps: readonly (() => void)[]): boolean {
  let isWhole = true;
  for (const step of steps) {
    try {
      step();
    } catch {
      isWhole = false;
    }
  }
  return isWhole;
}
