import { type Clock, systemClock } from "./clock.ts";
import { Link, Ring } from "./ring.ts";
import { Ticker } from "./ticker.ts";

/** A wait that ends with a call unless it is cancelled. */
export interface Deadline {
  /** Starts the wait anew. */
  touch(): void;
  /** Ends the wait; calling it again does nothing. */
  cancel(): void;
}

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
  readonly #waits = new Ring<Wait>();
  readonly #ticker: Ticker;

  constructor(durationMs: number, clock: Clock = systemClock) {
    this.#durationMs = durationMs;
    this.#clock = clock;
    const tick = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, durationMs / TICKS_PER_DURATION));
    this.#ticker = new Ticker(clock, tick, () => this.#expire());
  }

  /** Waits that are armed now. */
  get size(): number {
    return this.#waits.size;
  }

  /** As {@link Ticker.keep}. */
  keep(): () => void {
    return this.#ticker.keep();
  }

  /** Arms a wait; `onExpire` is called at most once. */
  arm(onExpire: () => void): Deadline {
    const wait = new Wait(this, onExpire);
    this.#waits.add(wait);
    this.#ticker.start();
    return wait;
  }

  /** For waits: one has ended. */
  ended(wait: Wait): void {
    this.#waits.delete(wait);
    if (this.#waits.size === 0) this.#ticker.rest();
  }

  #expire(): void {
    const now = this.#clock.now();
    const latest = now - this.#durationMs;
    const due: Wait[] = [];
    for (const wait of this.#waits) {
      if (wait.touched) {
        wait.touched = false;
        wait.startedAt = now;
      } else if (wait.startedAt <= latest) {
        due.push(wait);
      }
    }
    // One's end may touch or cancel another.
    for (const wait of due) if (!wait.touched) wait.expire();
  }
}

class Wait extends Link implements Deadline {
  /** Since the set looked the last time; at first too. */
  touched = true;
  /** Not before it was touched, on the set's clock. */
  startedAt = 0;
  readonly #set: Deadlines;
  #onExpire: (() => void) | undefined;

  constructor(set: Deadlines, onExpire: () => void) {
    super();
    this.#set = set;
    this.#onExpire = onExpire;
  }

  touch(): void {
    this.touched = true;
  }

  cancel(): void {
    if (this.#onExpire === undefined) return;
    this.#onExpire = undefined;
    this.#set.ended(this);
  }

  expire(): void {
    const onExpire = this.#onExpire;
    this.cancel();
    onExpire?.();
  }
}
