/** How long a client may take for a head: counted from its first octet, and idle before that. */
export class HeadDeadline {
  /** Octets of a head have come, whose end has not. */
  begun = false;
  readonly #headerTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  #since: number;
  #limitMs: number;
  /** A request was answered on this connection before. */
  #answered = false;

  /** The first head's time runs since the connection is there. */
  constructor(
    limits: { readonly headerTimeoutMs: number; readonly idleTimeoutMs: number },
    now: number,
  ) {
    this.#headerTimeoutMs = this.#limitMs = limits.headerTimeoutMs;
    this.#idleTimeoutMs = limits.idleTimeoutMs;
    this.#since = now;
  }

  /** Octets of a head have come. */
  begin(now: number): void {
    if (this.begun) return;
    this.begun = true;
    if (this.#answered) this.#since = now;
    this.#limitMs = this.#headerTimeoutMs;
  }

  /** A request was answered: the next head may take its time to begin. */
  rest(now: number): void {
    this.begun = false;
    this.#answered = true;
    this.#since = now;
    this.#limitMs = this.#idleTimeoutMs;
  }

  /** Whether it is over. */
  isOver(now: number): boolean {
    return now - this.#since >= this.#limitMs;
  }
}
