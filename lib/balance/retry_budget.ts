import type { BalanceLimits } from "./limits.ts";

/**
 * How much may be tried again: what fails must not become three times as much, for those backends
 * that are left would fail of it too. Two halves of a window, of which the older one fades.
 */
export class RetryBudget {
  readonly #limits: BalanceLimits;
  readonly #half: number;
  #startedAt = -Infinity;
  /** Of this half and of the one before, from the first turn on. */
  #dials: number[] = [];
  #retries: number[] = [];

  constructor(limits: BalanceLimits) {
    this.#limits = limits;
    this.#half = limits.budgetMs / 2;
  }

  /** A first attempt. */
  dialled(now: number): void {
    this.#turn(now);
    this.#dials[0] = (this.#dials[0] as number) + 1;
  }

  /** Takes one retry out of the budget; `false`: there is none left. */
  retry(now: number): boolean {
    this.#turn(now);
    const { retryShare, leastRetries } = this.#limits;
    const may = Math.max(leastRetries, sum(this.#dials) * retryShare);
    if (sum(this.#retries) >= may) return false;
    this.#retries[0] = (this.#retries[0] as number) + 1;
    return true;
  }

  #turn(now: number): void {
    const age = now - this.#startedAt;
    if (age < this.#half) return;
    const isRecent = age < 2 * this.#half;
    this.#dials = [0, isRecent ? this.#dials[0] as number : 0];
    this.#retries = [0, isRecent ? this.#retries[0] as number : 0];
    this.#startedAt = now;
  }
}

function sum([now, before]: readonly number[]): number {
  return (now as number) + (before as number);
}
