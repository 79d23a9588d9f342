import { RefusedError } from "./refusal.ts";

/** Changes that may wait for the one that is being made. */
const MAX_WAITING = 1024;

/**
 * After that long a step in progress is not waited for any more when the queue closes. Steps have
 * deadlines of their own; what hangs longer hangs in the system, on a disk or a file system.
 */
const CLOSE_TIMEOUT_MS = 10_000;

/** Runs steps one after the other, in the order in which they came. */
export class MutationQueue {
  readonly #closing = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #askedAt = 0;

  /** When the step that runs now was asked for, on the clock of `performance.now()`. */
  get askedAt(): number {
    return this.#askedAt;
  }

  /** The step that runs now is made anew: until here it has waited for others than it is to wait for. */
  beginAnew(): void {
    this.#askedAt = performance.now();
  }

  /** Aborted, with the {@link RefusedError} for those who wait, when the queue closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Runs `body` when everything before it has ended, well or not.
   *
   * @throws {RefusedError} `busy` if too many wait, `cancelled` if the signal is aborted before the
   * turn comes: nobody would learn of the change; `shutting_down` after {@link close}.
   */
  async run<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.closing.throwIfAborted();
    if (this.#waiting >= MAX_WAITING) {
      throw new RefusedError("busy", `${MAX_WAITING} changes wait already`);
    }
    const askedAt = performance.now();
    this.#waiting++;
    const turn = this.#last.then(() => {
      this.#waiting--;
      this.#askedAt = askedAt;
      if (signal?.aborted) throw new RefusedError("cancelled", "the call ended before its turn");
      return body();
    });
    this.#last = turn.catch(() => {}); // The caller of that step was told.
    return await turn;
  }

  /**
   * Takes nothing more, and ends the waiting for what others hold; resolves when everything that was
   * queued has ended, or hangs.
   */
  async close(timeoutMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    this.#closing.abort(new RefusedError("shutting_down", "the proxy is shutting down"));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([this.#last, promise]);
    clearTimeout(timer);
  }
}
