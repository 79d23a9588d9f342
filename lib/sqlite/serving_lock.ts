import { basename, dirname, join } from "node:path";
import { toDatabaseError } from "./errors.ts";
import { releaseFileLock } from "./file_lock.ts";
import { FILE_MODE } from "./file_mode.ts";

/** How often a process that takes over tries again, until the one before has ended. */
const RETRY_MS = 1_000;

/**
 * Tells that a process serves a database, for as long as it runs: the kernel drops flock(2) with the
 * process, however that ends. Who is started beside it by mistake finds out before it touches anything.
 */
export class ServingLock implements Disposable {
  readonly #file: Deno.FsFile;
  #retry: ReturnType<typeof setInterval> | undefined;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Beside the database, under a name that `rm mc-proxy.db*` leaves alone. */
  static pathOf(database: string): string {
    return join(dirname(database), `running.${basename(database)}`);
  }

  /**
   * Takes the lock; nothing if another process holds it, unless `takeOver`: then it is taken when that
   * one has ended.
   *
   * @throws {DatabaseError} if the file cannot be made.
   */
  static take(database: string, { takeOver }: { readonly takeOver: boolean }) {
    const lock = new ServingLock(open(ServingLock.pathOf(database)));
    if (lock.#tryTake()) return lock;
    if (takeOver) {
      lock.#retry = setInterval(() => lock.#tryTake(), RETRY_MS);
      return lock;
    }
    lock[Symbol.dispose]();
    return undefined;
  }

  #tryTake(): boolean {
    if (!this.#file.tryLockSync(true)) return false;
    clearInterval(this.#retry);
    return true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#retry);
    releaseFileLock(this.#file);
  }
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { create: true, write: true, mode: FILE_MODE });
  } catch (error) {
    throw toDatabaseError(error, `cannot open ${JSON.stringify(path)}`);
  }
}
