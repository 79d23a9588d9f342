import type { Clock } from "./clock.ts";

/**
 * A repeating timer that runs while there is something to look after. Starting and stopping one costs
 * 10 µs, a tenth of a connection: who does so time and again keeps it.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #tick: () => void;
  #kept = 0;
  #needed = false;
  #stop: (() => void) | undefined;

  constructor(clock: Clock, ms: number, tick: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#tick = tick;
  }

  /** There is something to look after; more of it changes nothing. */
  start(): void {
    this.#needed = true;
    this.#stop ??= this.#clock.every(this.#ms, this.#tick);
  }

  /** There is nothing any more. */
  rest(): void {
    this.#needed = false;
    this.#stopIfIdle();
  }

  /** From its next start on it runs also while there is nothing, until the result is called. */
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

  #stopIfIdle(): void {
    if (this.#needed || this.#kept > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }
}
