/**
 * Time that moves only when a test says so.
 *
 * @module
 */

interface Timer {
  readonly id: number;
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock with timers; `advance` runs what falls due, in order. */
export class FakeClock {
  #nowMs: number;
  #nextId = 1;
  #timers: Timer[] = [];

  constructor(nowMs = 0) {
    this.#nowMs = nowMs;
  }

  /** Milliseconds. An arrow function, so that it can be handed over as `now`. */
  readonly now = (): number => this.#nowMs;

  readonly setTimeout = (callback: () => void, ms: number): number => {
    const id = this.#nextId++;
    this.#timers.push({ id, dueMs: this.#nowMs + ms, callback });
    return id;
  };

  readonly clearTimeout = (id: number): void => {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  };

  /** Timers that are still set: zero at the end of a test that cleans up. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves the time forward; a timer set by a callback runs too when it falls due. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
      this.clearTimeout(next.id);
      this.#nowMs = next.dueMs;
      next.callback();
    }
    this.#nowMs = untilMs;
  }

  /** The clock jumps, backwards too, without running anything, as a wall clock may. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #next(untilMs: number): Timer | undefined {
    return this.#timers
      .filter(({ dueMs }) => dueMs <= untilMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.id - b.id)[0];
  }
}
