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
 *
 * They are linked to each other and not members of a `Set`: one that is filled and emptied all the
 * time leaves a chain of old tables, whose entries the young generation's collector takes for alive.
 */
export class Deadlines {
  readonly #durationMs: number;
  readonly #clock: Clock;
  /** Points to the first and the last wait; to itself when there is none. */
  readonly #ring = new Link();
  #size = 0;
  #kept = 0;
  #stop: (() => void) | undefined;

  constructor(durationMs: number, clock: Clock = systemClock) {
    this.#durationMs = durationMs;
    this.#clock = clock;
  }

  /** Waits that are armed now. */
  get size(): number {
    return this.#size;
  }

  /**
   * Keeps the timer also while nothing waits, until the result is called: for who arms a wait time
   * and again, since starting a timer costs as much as a request.
   */
  keep(): () => void {
    this.#kept++;
    let kept = true;
    return () => {
      if (!kept) return;
      kept = false;
      this.#kept--;
      this.#stopIfIdle();
    };
  }

  /** Arms a wait; `onExpire` is called at most once. */
  arm(onExpire: () => void): Deadline {
    const tick = Math.min(
      MAX_TICK_MS,
      Math.max(MIN_TICK_MS, this.#durationMs / TICKS_PER_DURATION),
    );
    this.#stop ??= this.#clock.every(tick, () => this.#expire());
    const wait = new Wait(this, onExpire);
    wait.insertBefore(this.#ring);
    this.#size++;
    return wait;
  }

  /** For waits: one has ended. No timer runs while there is none. */
  ended(): void {
    this.#size--;
    this.#stopIfIdle();
  }

  #stopIfIdle(): void {
    if (this.#size > 0 || this.#kept > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #expire(): void {
    const now = this.#clock.now();
    const latest = now - this.#durationMs;
    const due: Wait[] = [];
    for (let wait = this.#ring.next; wait instanceof Wait; wait = wait.next) {
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

/** An element of a ring; alone, it points to itself. */
class Link {
  next: Link = this;
  previous: Link = this;

  insertBefore(link: Link): void {
    this.next = link;
    this.previous = link.previous;
    this.previous.next = this;
    link.previous = this;
  }

  /** Leaves the ring, and leads nowhere: what is gone must keep nothing alive. */
  remove(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this.previous = this;
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
    this.remove();
    this.#set.ended();
  }

  expire(): void {
    const onExpire = this.#onExpire;
    this.cancel();
    onExpire?.();
  }
}
