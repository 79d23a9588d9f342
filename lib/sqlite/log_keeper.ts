import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { CheckpointThread } from "./checkpoint_thread.ts";
import { LogSync } from "./log_sync.ts";

/**
 * Brings a write-ahead log to the disk, and into its database, beside the thread that commits: SQLite's
 * own COMMIT and checkpoint wait there for a disk that may hang.
 */
export class LogKeeper implements Disposable {
  readonly #path: string;
  readonly #connection: () => DatabaseSync;
  readonly #thread: CheckpointThread;
  readonly #sync: LogSync;
  #emptying: Promise<void> | undefined;
  #isHeld = false;
  #isClosed = false;

  /** @param connection the one that is open now, with `synchronous = NORMAL`. */
  constructor(path: string, connection: () => DatabaseSync) {
    this.#path = path;
    this.#connection = connection;
    this.#thread = new CheckpointThread(path);
    this.#sync = new LogSync(path);
  }

  /** Whether the log is being emptied, so that the database is written by whom nobody sees. */
  get isEmptying(): boolean {
    return this.#emptying !== undefined;
  }

  /** Whether writers have to wait for a moment: a commit now would wait for the disk on this thread. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Resolves when everything that was committed is on the disk. */
  reachDisk(): Promise<void> {
    return this.#sync.sync();
  }

  /** Brings the log into the database and empties it, as far as nobody reads in it. */
  empty(): Promise<void> {
    this.#emptying ??= this.#empty().finally(() => this.#emptying = undefined);
    return this.#emptying;
  }

  /** Begins a log that was emptied here. */
  async begin(): Promise<void> {
    this.#isHeld = true;
    try {
      await this.#sync.sync();
      if (!this.#isClosed) writeHead(this.#connection());
    } finally {
      this.#isHeld = false;
    }
  }

  async #empty(): Promise<void> {
    // Almost all of it while everybody writes, and what came meanwhile while nobody does.
    await this.#thread.bringLog();
    if (this.#isClosed || this.#connection().isTransaction) return;
    this.#isHeld = true;
    try {
      const before = this.#stamp();
      const isWhole = await this.#thread.bringLog();
      // Emptying a log that is not in the database would bring it there, here and now.
      const isReady = isWhole && this.#stamp() === before;
      if (isReady && !this.#isClosed) await this.#beginAnew();
    } finally {
      this.#isHeld = false;
    }
  }

  /**
   * Whoever writes to a new log first has to wait until its head is on the disk, or a crash could leave
   * pages of the new log behind the head of the old one. Not so if the old one is known to be gone.
   */
  async #beginAnew(): Promise<void> {
    const result = this.#connection().prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (result?.busy !== 0) return;
    await this.#sync.sync();
    if (!this.#isClosed) writeHead(this.#connection());
  }

  /** Differs when somebody has written to the log. */
  #stamp(): string {
    const found = statSync(`${this.#path}-wal`, { throwIfNoEntry: false });
    return `${found?.ino} ${found?.size} ${found?.mtimeMs}`;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#thread[Symbol.dispose]();
    this.#sync[Symbol.dispose]();
  }
}

/** Begins a log that is empty, on the disk too. */
function writeHead(db: DatabaseSync): void {
  db.prepare("PRAGMA synchronous = OFF").run();
  try {
    // SQLite keeps this number for programs and does not use it; this one does not either.
    db.prepare("PRAGMA user_version = 0").run();
  } catch {
    // Another process was faster, or the disk is full: whoever writes next writes the head.
  } finally {
    db.prepare("PRAGMA synchronous = NORMAL").run();
  }
}
