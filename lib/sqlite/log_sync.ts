/**
 * Brings a database's write-ahead log to the disk while the thread goes on: fsync(2) waits for a disk
 * for as long as that takes, and SQLite's own waits on the thread that commits.
 */
export class LogSync implements Disposable {
  readonly #path: string;
  /** Open until the end: SQLite keeps the same log as long as somebody has the database open. */
  #file: Deno.FsFile | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isClosed = false;

  /** @param database its path; SQLite holds no lock on the log, which closing a file would drop. */
  constructor(database: string) {
    this.#path = `${database}-wal`;
  }

  /**
   * Resolves when everything that is in the log now is on the disk. Those who come while one sync runs
   * share the next: it is the first that surely begins after what they have written.
   *
   * @throws {Error} of the system.
   */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    return this.#next ??= this.#running.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
  }

  #begin(): Promise<void> {
    this.#running = this.#run().finally(() => this.#running = undefined);
    return this.#running;
  }

  async #run(): Promise<void> {
    const file = this.#file ?? await Deno.open(this.#path, { write: true });
    if (this.#isClosed) return file.close();
    this.#file = file;
    await file.syncData();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#file?.close();
    this.#file = undefined;
  }
}
