import { MAX_31_BITS } from "./frames.ts";

/** How much we may send (RFC 9113 §6.9). May be negative after SETTINGS lowered it (§6.9.2). */
export class SendWindow {
  /** Octets we may still send. */
  available: number;

  /** A window of `size` octets. */
  constructor(size: number) {
    this.available = size;
  }

  /** Adds an increment of either sign; `false` if the window would exceed 2^31-1. */
  grow(increment: number): boolean {
    if (this.available + increment > MAX_31_BITS) return false;
    this.available += increment;
    return true;
  }
}

/**
 * What streams may have beyond their first window, all streams of one party together: a fast reader
 * gets the window that a far peer needs, a slow one cannot make many of them large.
 */
export class WindowBudget {
  #left: number;

  /** `octets`: what there is to share. */
  constructor(octets: number) {
    this.#left = octets;
  }

  /** Octets that are left. */
  get left(): number {
    return this.#left;
  }

  /** Takes up to `octets`; how many it gave. */
  take(octets: number): number {
    const taken = Math.min(octets, this.#left);
    this.#left -= taken;
    return taken;
  }

  /** Gives back what was taken. */
  give(octets: number): void {
    this.#left += octets;
  }
}

/** A window that is half emptied again within this may grow, in milliseconds. */
const FAST_MS = 250;

/**
 * How much the peer may send. It counts down as frames arrive and is opened again only by what the
 * owner has passed on, so a slow receiver behind us stops the peer and memory stays bounded.
 */
export class ReceiveWindow {
  readonly #max: number;
  #size: number;
  #available: number;
  #consumed = 0;
  #openedAt = -Infinity;
  #budget: WindowBudget | undefined;
  #grown = 0;

  /** A window of `size` octets, which may grow to `max` out of a budget. */
  constructor(size: number, max: number = size) {
    this.#size = size;
    this.#max = max;
    this.#available = size;
  }

  /** Lets the window grow out of this. */
  growFrom(budget: WindowBudget): void {
    this.#budget ??= budget;
  }

  /** Gives back what it grew by; the window is not used any more. */
  release(): void {
    this.#budget?.give(this.#grown);
    this.#grown = 0;
    this.#budget = undefined;
  }

  /** Counts a frame; `false` if the peer sent more than it may. */
  take(octets: number): boolean {
    this.#available -= octets;
    return this.#available >= 0;
  }

  /**
   * Notes at `now` that `octets` were passed on. Answers the increment to announce, or 0: it is
   * announced once half of the window is free, which keeps the peer sending with few WINDOW_UPDATE
   * frames.
   */
  give(octets: number, now = 0): number {
    this.#consumed += octets;
    if (this.#consumed * 2 < this.#size) return 0;
    const increment = this.#consumed + this.#grow(now);
    this.#consumed = 0;
    this.#available += increment;
    return increment;
  }

  /** Doubles the window of a reader that keeps up; octets it grew by. */
  #grow(now: number): number {
    const isFast = now - this.#openedAt <= FAST_MS;
    this.#openedAt = now;
    if (this.#budget === undefined || !isFast) return 0;
    const grown = this.#budget.take(Math.min(this.#size, this.#max - this.#size));
    this.#size += grown;
    this.#grown += grown;
    return grown;
  }
}
