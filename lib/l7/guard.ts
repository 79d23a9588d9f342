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
    const method = prototype[name] as (...args: unknown[]) => unknown;
    const guarded = function (this: T, ...args: unknown[]): unknown {
      try {
        return method.apply(this, args);
      } catch (error) {
        onError(this, error);
        return undefined;
      }
    };
    prototype[name] = guarded as T[K];
  }
}
