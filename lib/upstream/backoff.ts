/** From the second failure in a row, in milliseconds; doubled with each one after it. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/**
 * When a backend that fails may be dialled again. The first failure costs no pause: a backend that
 * was restarted is there at once. Attempts that were under way together count as one failure.
 */
export class Backoff {
  #failures = 0;
  #failedAt = -Infinity;
  #readyAt = -Infinity;

  /** Until when nothing is dialled. */
  get readyAt(): number {
    return this.#readyAt;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** One connection at a time: whether the backend is back is for it to find out. */
  get probing(): boolean {
    return this.#failures > 1;
  }

  failed(startedAt: number, now: number): void {
    if (startedAt < this.#failedAt) return;
    this.#failures++;
    this.#failedAt = now;
    if (this.#failures < 2) return;
    this.#readyAt = now + Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 2), LONGEST_PAUSE_MS);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#readyAt = -Infinity;
  }
}
