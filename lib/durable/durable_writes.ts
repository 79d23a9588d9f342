import { describeError, type LogSink } from "../observe/mod.ts";
import { type MutationQueue, RefusedError } from "../queue/mod.ts";
import { runAtOnce, type Steps } from "../slices/mod.ts";
import { DatabaseError, type StateDatabase, whenFree } from "../sqlite/mod.ts";

/** So many rows are written in one go: a few milliseconds. */
const AT_ONCE = 64;

/** Ends a transaction that was only to be tried. */
class Rehearsed extends Error {
  readonly result: unknown;

  constructor(result: unknown) {
    super("the transaction was only to be tried");
    this.result = result;
  }
}

/** Who asks for a write. */
export interface WriteRequest {
  /** Such as `AddRoute`. */
  readonly action: string;
  /** Aborted when nobody waits for the change any more. */
  readonly signal?: AbortSignal;
}

/** What {@link DurableWrites} is made of. */
export interface DurableWritesOptions {
  readonly database: StateDatabase;
  readonly log: LogSink;
  /** The database could not be written for want of room or of rights. */
  readonly onWriteFailed?: () => void;
}

/**
 * Changes on their way to the disk, and back from it: nobody waits for a lock or a disk on the thread
 * itself, and what is not on the disk is not in effect.
 */
export class DurableWrites {
  readonly #queue: MutationQueue;
  readonly #options: DurableWritesOptions;
  #problem = "";

  constructor(queue: MutationQueue, options: DurableWritesOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  /** Why database and data plane may differ; empty while they agree. */
  get problem(): string {
    return this.#problem;
  }

  /**
   * Makes `write` in a transaction and waits until it is on the disk. Of many rows it is made in slices:
   * meanwhile questions are answered, from the state before.
   *
   * @returns what `write` did, and what takes it back.
   */
  async store<T>(
    write: () => Steps<T>,
    rows: number,
    request: WriteRequest,
  ): Promise<{ result: T; undo: () => void }> {
    const { database } = this.#options;
    const body = rows <= AT_ONCE
      ? () => database.undoable(() => runAtOnce(write()))
      : () => database.undoableInSlices(write());
    const stored = await this.#whenFree(body, request)
      .catch((error) => this.#writeFailed(error));
    await this.#reachDisk(stored.undo, request);
    return stored;
  }

  /**
   * Makes `write` as {@link store} does and takes it back at once: whoever asks learns what it returns,
   * and what it throws.
   */
  async rehearse<T>(
    write: () => Steps<T>,
    rows: number,
    request: WriteRequest,
  ): Promise<T> {
    const { database } = this.#options;
    const steps = function* (): Steps<never> {
      throw new Rehearsed(yield* write());
    };
    try {
      return await this.#whenFree(
        () =>
          rows <= AT_ONCE
            ? database.transaction(() => runAtOnce(steps()))
            : database.undoableInSlices(steps()).then(({ result }) => result),
        request,
      );
    } catch (error) {
      if (error instanceof Rehearsed) return error.result as T;
      return this.#writeFailed(error);
    }
  }

  /** From here on a start that finds less than this refuses to run. */
  async acknowledge(): Promise<void> {
    try {
      await this.#options.database.safekeeping?.acknowledgeMeanwhile();
    } catch (error) {
      // The change is on disk and in effect: refusing it now would be the lie.
      const message = "a change is stored, but a later loss of it would not be noticed";
      this.#options.log({ level: "error", message, fields: { error: describeError(error) } });
    }
  }

  /** Undoes in the database what {@link store} has done. */
  async takeBack(undo: () => void, action: string): Promise<void> {
    const { database } = this.#options;
    try {
      // Not to be cut short by a shutdown: what is undone was never acknowledged.
      await whenFree(undo, { until: performance.now() + database.busyTimeoutMs });
    } catch (error) {
      this.#fail(`${action} is in the database but not in effect until a restart`, error);
    }
    // A disk that refuses this too has refused the change itself, or is said by health.
    await database.reachDisk().catch(() => {});
  }

  /** The data plane, too, is not what the database holds. */
  noteSplit(action: string, error: unknown): void {
    this.#fail(`${action} was refused, and the state before it cannot be restored`, error);
  }

  /** Other questions are answered while it gets there. */
  async #reachDisk(undo: () => void, { action }: WriteRequest): Promise<void> {
    try {
      await this.#options.database.reachDisk();
    } catch (error) {
      await this.takeBack(undo, action);
      this.#writeFailed(error);
    }
  }

  /** Whoever asks for health is not to wait for the next look. */
  #writeFailed(error: unknown): never {
    const isFull = error instanceof DatabaseError &&
      (error.code === "disk_full" || error.code === "read_only");
    if (isFull) this.#options.onWriteFailed?.();
    throw error;
  }

  /**
   * Each change waits for the lock of another process until its own time is over, counted from when
   * it was asked for: those behind it in the queue do not begin to wait when it gives up.
   */
  async #whenFree<T>(
    body: () => T | Promise<T>,
    { signal }: WriteRequest,
  ): Promise<T> {
    const until = this.#queue.askedAt + this.#options.database.busyTimeoutMs;
    const signals = [this.#queue.closing, ...signal === undefined ? [] : [signal]];
    try {
      return await whenFree(body, { until, signals });
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) throw error;
      throw new RefusedError("cancelled", "the call ended before the database was free");
    }
  }

  /** From here on {@link problem} is said. */
  #fail(problem: string, error: unknown): void {
    this.#problem = problem;
    const fields = { error: describeError(error) };
    this.#options.log({ level: "error", message: problem, fields });
  }
}
