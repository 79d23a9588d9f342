import { RefusedError } from "./refused.ts";

/** Changes that may wait for the one that is being made. */
const MAX_WAITING = 1024;

/** Runs steps one after the other, in the order in which they came. */
export class MutationQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /**
   * Runs `body` when everything before it has ended, well or not.
   *
   * @throws {RefusedError} `busy` if too many wait, `cancelled` if the signal is aborted before the
   * turn comes: nobody would learn of the change; `shutting_down` after {@link close}.
   */
  async run<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) throw new RefusedError("shutting_down", "the proxy is shutting down");
    if (this.#waiting >= MAX_WAITING) {
      throw new RefusedError("busy", `${MAX_WAITING} changes wait already`);
    }
    this.#waiting++;
    const turn = this.#last.then(() => {
      this.#waiting--;
      if (signal?.aborted) throw new RefusedError("cancelled", "the call ended before its turn");
      return body();
    });
    this.#last = turn.catch(() => {}); // The caller of that step was told.
    return await turn;
  }

  /** Takes nothing more; resolves when everything that was queued has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}
