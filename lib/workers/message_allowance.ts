import { MessageError } from "./checks.ts";

/**
 * The messages that one worker may send in a second and at once, after we were late: many times what
 * it can serve. More is not a worker of ours.
 */
const MESSAGES_PER_SECOND = 20_000;
const MAX_MESSAGES_AT_ONCE = 100_000;

/** Counts the messages of one worker against the time. */
export class MessageAllowance {
  readonly #now: () => number;
  #left = MAX_MESSAGES_AT_ONCE;
  #countedAt: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#countedAt = now();
  }

  /**
   * One more has come.
   *
   * @throws {MessageError} if that is too many.
   */
  take(): void {
    const now = this.#now();
    const earned = (now - this.#countedAt) * MESSAGES_PER_SECOND / 1000;
    this.#countedAt = now;
    this.#left = Math.min(this.#left + earned, MAX_MESSAGES_AT_ONCE) - 1;
    if (this.#left < 0) throw new MessageError("too many of them");
  }
}
