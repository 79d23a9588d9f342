import { RefusedError } from "../queue/mod.ts";
import { type Database, DatabaseError } from "../db/mod.ts";

/** What {@link writeBack} did. */
export interface WrittenBack {
  /** The database, absolute. */
  readonly path: string;
  /** In octets. */
  readonly size: number;
  /** Where a file that had taken its place is now; empty if there was none. */
  readonly aside: string;
  /** Of the state. */
  readonly revision: number;
}

/**
 * Writes a database back whose file is gone.
 *
 * @throws {RefusedError} `failed_precondition` if it is there, or if its content is gone too.
 */
export async function writeBack(database: Database): Promise<WrittenBack> {
  const { path, safekeeping } = database;
  if (safekeeping === undefined) {
    throw new RefusedError("failed_precondition", "the database is in memory");
  }
  if (isInPlace(database)) {
    throw new RefusedError("failed_precondition", "the database is in its place");
  }
  try {
    const { size, aside = "" } = await safekeeping.writeBack();
    return { path, size, aside, revision: database.revision };
  } catch (cause) {
    // SQLite remembers some pages of the file, which may be all of them, and reads the others from it.
    const isGone = cause instanceof DatabaseError &&
      (cause.code === "damaged" || cause.code === "corrupt");
    if (!isGone) throw cause;
    const message =
      "the file was overwritten, so nothing is left to write back: restore a snapshot";
    throw new RefusedError("failed_precondition", message, { cause });
  }
}

function isInPlace({ safekeeping }: Database): boolean {
  try {
    safekeeping?.check();
    return true;
  } catch {
    return false; // Which is why we are here.
  }
}
