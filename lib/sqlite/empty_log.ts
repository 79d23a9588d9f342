import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** A database whose log is to be emptied. */
export interface LogRequest {
  readonly path: string;
  /** Which file the path is to name: a database that was removed is not to be made anew. */
  readonly dev: number;
  readonly ino: number;
}

/**
 * Brings the log of a database into it and empties the log, by a connection of its own, while others
 * read and write. Waits for the disk.
 *
 * @throws {Error} of SQLite.
 */
export function emptyLog({ path, dev, ino }: LogRequest): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.dev !== dev || found.ino !== ino) return;
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.prepare("PRAGMA synchronous = FULL").run();
    db.prepare("PRAGMA wal_autocheckpoint = 0").get();
    // The long part first, for which nobody who writes has to wait.
    db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
    const result = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (result?.busy === 0) beginLog(db);
  } finally {
    db.close();
  }
}

/**
 * Whoever writes to a new log first has to wait until its head is on the disk, or a crash could leave
 * the pages of the new log behind the head of the old one. Here nobody waits with us.
 */
function beginLog(db: DatabaseSync): void {
  try {
    // SQLite keeps this number for programs and does not use it; this one does not either.
    db.prepare("PRAGMA user_version = 0").run();
  } catch {
    // Somebody else was faster.
  }
}
