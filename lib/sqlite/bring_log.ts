import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** A database whose log is to be brought into it. */
export interface LogRequest {
  readonly path: string;
  /** Which file the path is to name: a database that was removed is not to be made anew. */
  readonly dev: number;
  readonly ino: number;
}

/**
 * Brings what is in the log of a database into it, by a connection of its own, while others read and
 * write. Waits for the disk. Leaves the log as it is: to empty it would have every other connection
 * forget the pages that it knows, which may be all that is left of a file that is overwritten.
 *
 * @returns whether everything in the log is in the database; not so while somebody reads an older state.
 * @throws {Error} of SQLite.
 */
export function bringLog({ path, dev, ino }: LogRequest): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.dev !== dev || found.ino !== ino) return false;
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.prepare("PRAGMA synchronous = FULL").run();
    db.prepare("PRAGMA wal_autocheckpoint = 0").get();
    const result = db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
    return result?.busy === 0 && result.log === result.checkpointed;
  } finally {
    db.close();
  }
}
