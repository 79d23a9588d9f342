import type { Limits, Rate } from "./limits.ts";

/** A token bucket over a clock that is passed in. */
export class Budget {
  readonly #rate: Rate;
  readonly #parent: Budget | undefined;
  #tokens: number;
  #at = -1;

  /** A full bucket. What is spent here is spent of `parent` too, which several may share. */
  constructor(rate: Rate, parent?: Budget) {
    this.#rate = rate;
    this.#parent = parent;
    this.#tokens = rate.burst;
  }

  /** Takes one token at `now` (milliseconds); `false` if there is none, here or in the parent. */
  spend(now: number): boolean {
    if (this.#tokens < this.#rate.burst && now > this.#at && this.#at >= 0) {
      const earned = (now - this.#at) * this.#rate.perSecond / 1000;
      this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned);
    }
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return this.#parent?.spend(now) ?? true;
  }

  /** Gives tokens back for useful work. */
  credit(tokens: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + tokens);
    this.#parent?.credit(tokens);
  }
}

/**
 * What a peer may do that costs us work and is of no use to an honest one. Each thing has its own
 * budget; who spends one is asked to calm down (RFC 9113 §10.5).
 */
export class AbuseGuard {
  readonly resets: Budget;
  readonly control: Budget;
  readonly settings: Budget;
  readonly emptyData: Budget;
  readonly windowUpdates: Budget;
  /** Not the peer's doing: RST_STREAM frames that we send because our owner wants it. */
  readonly ownResets: Budget;

  /** Budgets of one connection; `resets` is shared with others of the same peer. */
  constructor(limits: Limits, resets?: Budget) {
    this.resets = new Budget(limits.resets, resets);
    this.ownResets = new Budget(limits.ownResets);
    this.control = new Budget(limits.control);
    this.settings = new Budget(limits.settings);
    this.emptyData = new Budget(limits.emptyData);
    this.windowUpdates = new Budget(limits.windowUpdates);
  }
}
