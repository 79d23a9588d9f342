import type { Clock } from "./clock.ts";
import { Deadlines } from "./deadlines.ts";

/** Deadlines of the few durations that operators set beside the usual one. */
export class DeadlinesByTime {
  readonly #clock: Clock;
  readonly #known = new Map<number, Deadlines>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those of a duration, the same every time. */
  of(durationMs: number): Deadlines {
    let found = this.#known.get(durationMs);
    if (found === undefined) {
      // Those of durations that nobody waits for any more; whoever waits keeps his.
      for (const [ms, { size }] of this.#known) if (size === 0) this.#known.delete(ms);
      this.#known.set(durationMs, found = new Deadlines(durationMs, this.#clock));
    }
    return found;
  }
}
