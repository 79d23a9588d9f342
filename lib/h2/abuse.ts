import type { Limits, Rate } from "./limits.ts";

/** What a budget may be made with. */
export interface BudgetOptions {
  /** What is spent here is spent there too; several may share it. */
  readonly parent?: Budget | undefined;
  /** Tokens that may be owed; `waitMs` says how long to wait before more is taken. Default: none. */
  readonly credit?: number;
}

/** A token bucket over a clock that is passed in. */
export class Budget {
  readonly #rate: Rate;
  readonly #parent: Budget | undefined;
  readonly #least: number;
  #tokens: number;
  /** Of the last look; before the first one the bucket is full. */
  #at = 0;

  /** A full bucket. */
  constructor(rate: Rate, { parent, credit = 0 }: BudgetOptions = {}) {
    this.#rate = rate;
    this.#parent = parent;
    this.#least = -credit;
    this.#tokens = rate.burst;
  }

  /** Takes tokens at `now` (milliseconds); `false` if there are none, here or in the parent. */
  spend(now: number, tokens = 1): boolean {
    this.#refill(now);
    if (this.#tokens - tokens < this.#least) return false;
    this.#tokens -= tokens;
    return this.#parent?.spend(now, tokens) ?? true;
  }

  /** Gives tokens back for useful work. */
  credit(tokens: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + tokens);
    this.#parent?.credit(tokens);
  }

  /** Milliseconds until nothing is owed any more. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#tokens >= 0 ? 0 : -this.#tokens * 1000 / this.#rate.perSecond;
  }

  #refill(now: number): void {
    const earned = Math.max(0, now - this.#at) * this.#rate.perSecond / 1000;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned);
    this.#at = now;
  }
}

/**
 * What a peer may do that costs us work and is of no use to an honest one. Each thing has its own
 * budget; who spends one is asked to calm down (RFC 9113 §10.5).
 */
export class AbuseGuard {
  readonly resets: Budget;
  readonly control: Budget;
  readonly smallData: Budget;
  readonly settings: Budget;
  readonly emptyData: Budget;
  readonly windowUpdates: Budget;
  /** Not the peer's doing: RST_STREAM frames that we send because our owner wants it. */
  readonly ownResets: Budget;

  /** Budgets of one connection; `resets` is shared with others of the same peer. */
  constructor(limits: Limits, resets?: Budget) {
    this.resets = new Budget(limits.resets, { parent: resets });
    this.ownResets = new Budget(limits.ownResets);
    this.control = new Budget(limits.control, { credit: limits.control.burst });
    this.smallData = new Budget(limits.smallData, { credit: limits.smallData.burst });
    this.settings = new Budget(limits.settings);
    this.emptyData = new Budget(limits.emptyData);
    this.windowUpdates = new Budget(limits.windowUpdates);
  }

  /** Milliseconds for which a peer should not be read that sends more than it may for long. */
  waitMs(now: number): number {
    return Math.max(this.control.waitMs(now), this.smallData.waitMs(now));
  }
}
