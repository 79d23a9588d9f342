import type { Timers } from "./link.ts";

/** One timer for many deadlines: it goes off at the earliest that it was told of. */
export class Alarm {
  readonly #timers: Timers;
  readonly #ring: () => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;

  constructor(timers: Timers, ring: () => void) {
    this.#timers = timers;
    this.#ring = ring;
  }

  /** Rings at `at` at the latest; whoever is rung tells of what is due after that. */
  by(at: number): void {
    if (at >= this.#at) return;
    this.#cancel?.();
    this.#at = at;
    this.#cancel = this.#timers.after(Math.max(0, at - this.#timers.now()), () => {
      this.#at = Infinity;
      this.#cancel = undefined;
      this.#ring();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = Infinity;
  }
}
