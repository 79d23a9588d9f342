import type { Limits } from "./limits.ts";

/**
 * Watches what the streams of a connection have queued together. Without it, a window of the
 * connection that is opened drop by drop holds the queues of all streams.
 */
export class StallWatch {
  /** Octets framed of the queues since the last look at them. */
  progress = 0;
  readonly #limits: Pick<Limits, "stallTimeoutMs" | "minProgress" | "minDrain">;
  /** Since when something is queued without pause, or since the last look at it. */
  #since = 0;
  /** How much was queued then. */
  #queuedThen = 0;

  constructor(limits: Pick<Limits, "stallTimeoutMs" | "minProgress" | "minDrain">) {
    this.#limits = limits;
  }

  /** So much is queued from now on. */
  begin(now: number, queued: number): void {
    this.#since = now;
    this.#queuedThen = queued;
    this.progress = 0;
  }

  /**
   * Whether the window has been nearly closed for the stall time, letting less through than a reader
   * does; looks at the next stretch of that time from then on.
   */
  stalls(
    now: number,
    { queued, window }: {
      readonly queued: number;
      readonly window: { readonly available: number };
    },
  ): boolean {
    const { stallTimeoutMs, minProgress, minDrain } = this.#limits;
    if (now - this.#since < stallTimeoutMs) return false;
    const wanted = Math.max(minProgress, this.#queuedThen * minDrain);
    const stalls = window.available < minProgress && this.progress < wanted;
    this.begin(now, queued);
    return stalls;
  }
}
