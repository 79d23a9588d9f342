import type { Clock } from "./deadlines.ts";
import { systemClock } from "./deadlines.ts";

/** So late may it be seen that a connection which nobody reads has broken off, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** What can be asked whether it has broken off, and is told when it has. */
export interface Watched {
  isBroken(): boolean;
  onBroken(): void;
}

/**
 * Looks after connections that are not read, because their stream is stopped or has ended in that
 * direction: the kernel tells of their RST to those who read only.
 */
export class BrokenWatch {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #stop: (() => void) | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Connections that are watched now. */
  get size(): number {
    return this.#watched.size;
  }

  /** Begins to look; doing it again changes nothing. */
  add(watched: Watched): void {
    this.#watched.add(watched);
    this.#stop ??= this.#clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  /** Looks no more; no timer runs while nothing is watched. */
  delete(watched: Watched): void {
    if (!this.#watched.delete(watched) || this.#watched.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #look(): void {
    for (const watched of this.#watched) {
      if (watched.isBroken()) watched.onBroken();
    }
  }
}
