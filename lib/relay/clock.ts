/** Where the time comes from; tests use a fake. */
export interface Clock {
  /** Milliseconds from any fixed point; never runs backwards. */
  now(): number;
  /** Milliseconds since 1970, the same in every worker; may jump. */
  wallNow(): number;
  /** Calls `fn` every `ms` until the returned function is called; keeps no process alive. */
  every(ms: number, fn: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  every(ms, fn) {
    const id = setInterval(fn, ms);
    Deno.unrefTimer(id);
    return () => clearInterval(id);
  },
};
