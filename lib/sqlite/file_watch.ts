import { statSync } from "node:fs";

/** What tells one file from another, and whether somebody has written to it. */
interface Stamp {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** What a look at the files has found. */
export type WatchResult = "same" | "gone" | "replaced" | "written";

/**
 * Watches that the files of an open database are still those that the path names. SQLite itself goes
 * on in a file that was removed, and acknowledges into the void.
 */
export class FileWatch {
  readonly #file: string;
  readonly #own: Stamp | undefined;
  #wal: Stamp | undefined;
  #written: Stamp | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#own = stampOf(file);
    this.note();
  }

  /** Takes the files as they are now: after this process has written them. */
  note(): void {
    this.#written = stampOf(this.#file);
    this.#wal = stampOf(`${this.#file}-wal`);
  }

  /**
   * Looks again. `written`: the same file, but somebody else has written to it, which may be another
   * program's checkpoint or the content of another file.
   */
  look(): WatchResult {
    const now = stampOf(this.#file);
    if (now === undefined) return "gone";
    if (!isSameFile(now, this.#own)) return "replaced";
    // The log holds what was acknowledged since the last checkpoint.
    if (this.#wal !== undefined) {
      const wal = stampOf(`${this.#file}-wal`);
      if (wal === undefined) return "gone";
      if (!isSameFile(wal, this.#wal)) return "replaced";
    }
    const before = this.#written;
    return now.size === before?.size && now.mtimeMs === before.mtimeMs ? "same" : "written";
  }
}

function isSameFile(a: Stamp, b: Stamp | undefined): boolean {
  return a.dev === b?.dev && a.ino === b.ino;
}

function stampOf(path: string): Stamp | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && { dev: found.dev, ino: found.ino, size: found.size, mtimeMs: found.mtimeMs };
}
