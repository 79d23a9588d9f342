/** Silence this long while an answer is awaited is worth a question, in milliseconds. */
export const PING_AFTER_MS = 15_000;
/** Until the answer to it, in milliseconds. */
export const PING_TIMEOUT_MS = 10_000;

/**
 * Tells a connection whose peer is gone from one that takes its time. Silence counts from the last
 * octet read or from the first request on an idle connection, whichever came later, and octets of
 * any kind count as the answer: a PONG may stand behind a long download.
 */
export class Liveness {
  #heardAt: number;
  #waiting = false;
  #askedAt = -1;

  constructor(now: number) {
    this.#heardAt = now;
  }

  /** Octets came. */
  heard(now: number): void {
    this.#heardAt = now;
    this.#askedAt = -1;
  }

  /** What to do now: send a PING, give the connection up, or nothing. */
  check(now: number, waiting: boolean): "ask" | "dead" | undefined {
    this.#waiting = waiting;
    if (this.#askedAt >= 0) return now - this.#askedAt >= PING_TIMEOUT_MS ? "dead" : undefined;
    if (!waiting || now - this.#heardAt < PING_AFTER_MS) return undefined;
    this.#askedAt = now;
    return "ask";
  }

  /** A request begins; silence before it means nothing. */
  begin(now: number): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#heardAt = Math.max(this.#heardAt, now);
  }
}
