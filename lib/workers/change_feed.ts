import { describeError, type LogSink } from "../observe/mod.ts";
import type { Change, Snapshot } from "../plane/mod.ts";
import { WorkerError } from "./worker_error.ts";

/**
 * Changes that may be on their way to a worker at one time. One that is further behind is not sent
 * more of them: when it has caught up with these it is sent the state as a whole.
 */
const MAX_UNDER_WAY = 32;
/** After a state that the worker refused, for example because an address is taken. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

/** What a {@link ChangeFeed} works with. */
export interface ChangeFeedOptions {
  readonly worker: number;
  /** Sends changes; settles when the worker has applied or refused them, however late. */
  readonly send: (changes: readonly Change[]) => Promise<unknown>;
  /** The state that the worker is to arrive at. */
  readonly snapshot: () => Snapshot;
  readonly log: LogSink;
  /** Default: 1,000 ms, growing. */
  readonly retryMs?: number;
  /** Milliseconds from any point. */
  readonly now?: () => number;
}

/**
 * Keeps one worker in step with the state, at its own pace. A worker that is late applies what was
 * sent in order when it gets to it. What it refuses after the control plane has stopped waiting
 * cannot be undone elsewhere any more: it is sent the whole state until it takes it.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #now: () => number;
  /** What was sent and when, the oldest first. */
  readonly #underWay = new Map<Promise<unknown>, number>();
  #catchingUp: Promise<void> | undefined;
  #skipped = 0;
  #closed = false;
  #retry: { readonly timer: ReturnType<typeof setTimeout>; readonly done: () => void } | undefined;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Changes that the worker has not applied yet. */
  get pending(): number {
    return Math.max(this.#underWay.size + this.#skipped, this.#catchingUp === undefined ? 0 : 1);
  }

  /** For how long the oldest of them has been waiting, in milliseconds. */
  get waitingMs(): number {
    const oldest = this.#underWay.values().next();
    return oldest.done === true ? 0 : this.#now() - oldest.value;
  }

  /**
   * Sends changes that lead to the present snapshot. Resolves when the worker is there.
   *
   * @throws {WorkerError} `refused`, or `died`.
   */
  push(changes: readonly Change[]): Promise<unknown> {
    if (this.#catchingUp === undefined && this.#underWay.size < MAX_UNDER_WAY) {
      return this.#send(changes);
    }
    this.#skipped++;
    return this.catchUp();
  }

  /** Sends the whole state once everything before it is applied. */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#catchUp();
    return this.#catchingUp;
  }

  /** The worker is gone. */
  close(): void {
    this.#closed = true;
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry.timer);
    this.#retry.done();
  }

  #send(changes: readonly Change[]): Promise<unknown> {
    const sent = this.#options.send(changes); // Kept in order by the worker's queue.
    this.#underWay.set(sent, this.#now());
    const settled = () => this.#underWay.delete(sent);
    sent.then(settled, settled);
    return sent;
  }

  async #catchUp(): Promise<void> {
    try {
      await Promise.allSettled(this.#underWay.keys());
      await this.#sendSnapshots();
    } finally {
      // In the same turn as the last look at the snapshot: a change after it starts anew.
      this.#skipped = 0;
      this.#catchingUp = undefined;
    }
  }

  async #sendSnapshots(): Promise<void> {
    const { snapshot, worker, log, retryMs = FIRST_RETRY_MS } = this.#options;
    let delay = retryMs;
    for (let sent: Snapshot | undefined; sent !== snapshot();) {
      if (this.#closed) throw new WorkerError("died", `worker ${worker} is gone`);
      const next = snapshot();
      try {
        await this.#send([{ kind: "snapshot", snapshot: next }]);
        sent = next;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const fields = { worker, error: describeError(error), retryMs: delay };
        log({ level: "error", message: "worker refuses the state and is sent it again", fields });
        await this.#pause(delay);
        delay = Math.min(delay * 2, MAX_RETRY_MS);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#retry = { timer: setTimeout(resolve, ms), done: resolve };
    await promise;
    this.#retry = undefined;
  }
}

/**
 * Whether changes were applied in time; if not, they will be. Of a worker that died it is true: its
 * successor starts from the new state.
 *
 * @param applied What {@link ChangeFeed.push} returned.
 * @throws {WorkerError} `refused`, if the worker said so in time.
 */
export async function appliedWithin(
  applied: Promise<unknown>,
  { timeoutMs, onLateRefusal }: {
    readonly timeoutMs: number;
    readonly onLateRefusal: () => void;
  },
): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => {
    late.resolve(false);
    applied.catch((error) => isRefusal(error) && onLateRefusal());
  }, timeoutMs);
  try {
    return await Promise.race([applied.then(() => true), late.promise]);
  } catch (error) {
    if (isRefusal(error)) throw error;
    return true;
  } finally {
    clearTimeout(timer);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof WorkerError && error.code === "refused";
}
