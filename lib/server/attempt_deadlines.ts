import { ConnectDeadlines } from "../relay/mod.ts";

/** Attempts get multiples of this part of the whole time, so that few deadlines serve all. */
const PARTS = 12;

/**
 * Deadlines for attempts that share the time of one connection, and for connections of routes that have
 * a time of their own: see {@link ConnectDeadlines}.
 */
export class AttemptDeadlines implements Disposable {
  readonly #byTimeout = new Map<number, ConnectDeadlines>();
  readonly #now: (() => number) | undefined;
  #closed = false;

  /** `now` in milliseconds; default: a clock that is never set back. */
  constructor(now?: () => number) {
    this.#now = now;
  }

  /** Times that are known. */
  get size(): number {
    return this.#byTimeout.size;
  }

  /** A signal for an attempt of so long. */
  signal(timeoutMs: number): AbortSignal {
    let deadlines = this.#byTimeout.get(timeoutMs);
    if (deadlines === undefined) {
      // Those of times that nobody dials within any more: routes come and go.
      for (const [ms, { size }] of this.#byTimeout) if (size === 0) this.#byTimeout.delete(ms);
      deadlines = new ConnectDeadlines(timeoutMs, this.#now);
      this.#byTimeout.set(timeoutMs, deadlines);
      if (this.#closed) deadlines[Symbol.dispose]();
    }
    return deadlines.signal();
  }

  /** Ends every attempt under way, and any later one at once. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const deadlines of this.#byTimeout.values()) deadlines[Symbol.dispose]();
  }
}

/**
 * How long the next of so many attempts may take: what is left in equal parts, so that a backend
 * that swallows what is sent to it leaves time for another one. 0: time is over.
 */
export function attemptTimeout(
  { totalMs, spentMs }: { readonly totalMs: number; readonly spentMs: number },
  attempts: number,
): number {
  const part = totalMs / PARTS;
  const parts = Math.floor((totalMs - spentMs) / part / attempts);
  // The first of three gets its third also when a millisecond has passed.
  return Math.min(totalMs, Math.max(0, parts) * part);
}
