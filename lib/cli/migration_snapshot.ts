import { existsSync } from "node:fs";
import { type Database, openDatabase, SCHEMA_VERSION } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { fileTime } from "./file_time.ts";

/** A database that this program will bring to its version, and the copy of it as it was. */
export interface PendingMigration {
  readonly from: number;
  readonly to: number;
  /** The copy. */
  readonly path: string;
}

/**
 * Copies a database that this program is about to migrate, since migrations go forward only: what an
 * upgrade cannot be taken back with is there before it. Nothing for one that is new, or of this version.
 *
 * @throws {CommandError} if it cannot be copied: nothing was migrated then.
 */
export async function copyBeforeMigration(path: string): Promise<PendingMigration | undefined> {
  using database = existsSync(path) ? openToLook(path) : undefined;
  if (database === undefined) return undefined;
  const { version: from } = database;
  if (from === 0 || from >= SCHEMA_VERSION) return undefined;
  const copy = `${path}.v${from}.${fileTime(new Date())}.bak`;
  try {
    await database.snapshot(copy);
  } catch (error) {
    const message = `the database is not migrated from version ${from} to ${SCHEMA_VERSION}, ` +
      `because it cannot be copied before: ${describeError(error)}`;
    throw new CommandError(message, { cause: error });
  }
  return { from, to: SCHEMA_VERSION, path: copy };
}

/** Says what was migrated, when it was. */
export function logMigration(migration: PendingMigration | undefined, log: LogSink): void {
  if (migration === undefined) return;
  const { from, to, path } = migration;
  log({ level: "info", message: "database migrated", fields: { from, to, copy: path } });
}

/** What is wrong with it is for whoever opens it to say. */
function openToLook(path: string): Database | undefined {
  try {
    return openDatabase(path, { readOnly: true });
  } catch {
    return undefined;
  }
}
