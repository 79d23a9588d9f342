/** The time of day, by which certificates expire, and timers; a test turns the hands. */
export interface WallClock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  /** Takes what `setTimeout` of the same clock returned. */
  clearTimeout(id: unknown): void;
}

/** The real one. */
export const wallClock: WallClock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (id) => clearTimeout(id as Parameters<typeof clearTimeout>[0]),
};
