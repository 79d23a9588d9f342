import { type Clock, systemClock } from "./clock.ts";
import { type Link, Ring } from "./ring.ts";
import { Ticker } from "./ticker.ts";

/** So late may it be seen that a connection which nobody reads has broken off, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** What can be asked whether it has broken off, and is told when it has. */
export interface Watched extends Link {
  isBroken(): boolean;
  onBroken(): void;
}

/**
 * Looks after connections that are not read, because their stream is stopped or has ended in that
 * direction: the kernel tells of their RST to those who read only.
 */
export class BrokenWatch {
  readonly #ticker: Ticker;
  readonly #watched = new Ring<Watched>();

  constructor(clock: Clock = systemClock) {
    this.#ticker = new Ticker(clock, LOOK_EVERY_MS, () => this.#look());
  }

  /** Connections that are watched now. */
  get size(): number {
    return this.#watched.size;
  }

  /** As {@link Ticker.keep}. */
  keep(): () => void {
    return this.#ticker.keep();
  }

  /** Begins to look; doing it again changes nothing. */
  add(watched: Watched): void {
    this.#watched.add(watched);
    this.#ticker.start();
  }

  /** Looks no more. */
  delete(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size === 0) this.#ticker.rest();
  }

  #look(): void {
    for (const watched of this.#watched) {
      if (watched.isBroken()) watched.onBroken();
    }
  }
}
