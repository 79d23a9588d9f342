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
 * How much the peer may send. It counts down as frames arrive and is opened again only by what the
 * owner has passed on, so a slow receiver behind us stops the peer and memory stays bounded.
 */
export class ReceiveWindow {
  readonly #size: number;
  #available: number;
  #consumed = 0;

  /** A window of `size` octets. */
  constructor(size: number) {
    this.#size = size;
    this.#available = size;
  }

  /** Counts a frame; `false` if the peer sent more than it may. */
  take(octets: number): boolean {
    this.#available -= octets;
    return this.#available >= 0;
  }

  /**
   * Notes that `octets` were passed on. Answers the increment to announce, or 0: it is announced
   * once half of the window is free, which keeps the peer sending with few WINDOW_UPDATE frames.
   */
  give(octets: number): number {
    this.#consumed += octets;
    if (this.#consumed * 2 < this.#size) return 0;
    const increment = this.#consumed;
    this.#consumed = 0;
    this.#available += increment;
    return increment;
  }
}
