/** A wait that ends with a call unless it is cancelled. */
export interface Deadline {
  /** Starts the wait anew. */
  touch(): void;
  /** Ends the wait; calling it again does nothing. */
  cancel(): void;
}

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

/** How often a set looks, as a share of its duration; two of them late may a deadline fire. */
const TICKS_PER_DURATION = 16;
const MIN_TICK_MS = 10;
const MAX_TICK_MS = 1000;

/**
 * Many waits of one duration behind one timer. Arming, touching and cancelling are a few
 * instructions and ask for no time, because every read of every relayed stream touches one: a wait
 * that was touched begins anew when the set looks the next time. The price is that a deadline fires
 * up to two ticks (an eighth of the duration, at most two seconds) late, never early.
 */
export class Deadlines {
  readonly #durationMs: number;
  readonly #clock: Clock;
  readonly #waiting = new Set<Wait>();
  #stop: (() => void) | undefined;

  constructor(durationMs: number, clock: Clock = systemClock) {
    this.#durationMs = durationMs;
    this.#clock = clock;
  }

  /** Waits that are armed now. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Arms a wait; `onExpire` is called at most once. */
  arm(onExpire: () => void): Deadline {
    const tick = Math.min(
      MAX_TICK_MS,
      Math.max(MIN_TICK_MS, this.#durationMs / TICKS_PER_DURATION),
    );
    this.#stop ??= this.#clock.every(tick, () => this.#expire());
    const wait = new Wait(this, onExpire);
    this.#waiting.add(wait);
    return wait;
  }

  /** For {@link Deadline.cancel}. No timer runs while nothing waits. */
  remove(wait: Deadline): void {
    if (!this.#waiting.delete(wait as Wait) || this.#waiting.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #expire(): void {
    const now = this.#clock.now();
    const latest = now - this.#durationMs;
    for (const wait of this.#waiting) {
      if (wait.touched) {
        wait.touched = false;
        wait.startedAt = now;
      } else if (wait.startedAt <= latest) {
        wait.cancel();
        wait.onExpire();
      }
    }
  }
}

class Wait implements Deadline {
  /** Since the set looked the last time; at first too. */
  touched = true;
  /** Not before it was touched, on the set's clock. */
  startedAt = 0;
  readonly onExpire: () => void;
  readonly #set: Deadlines;

  constructor(set: Deadlines, onExpire: () => void) {
    this.#set = set;
    this.onExpire = onExpire;
  }

  touch(): void {
    this.touched = true;
  }

  cancel(): void {
    this.#set.remove(this);
  }
}
