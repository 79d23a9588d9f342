/**
 * Replaces the timers of the whole process, for code that is handed no clock.
 *
 * @module
 */
import { FakeClock } from "./clock.ts";

/** Until it is disposed of, `setTimeout` waits for this clock; {@link Date} and intervals do not. */
export class FakeTimers extends FakeClock implements Disposable {
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;

  constructor() {
    super();
    Object.assign(globalThis, {
      setTimeout: (callback: () => void, ms = 0) => this.setTimeout(callback, ms),
      clearTimeout: (id: number) => this.clearTimeout(id),
    });
  }

  /** Lets everything run that waits for no timer. */
  settle(): Promise<void> {
    return new Promise((resolve) => this.#setTimeout(resolve, 0));
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, { setTimeout: this.#setTimeout, clearTimeout: this.#clearTimeout });
  }
}
