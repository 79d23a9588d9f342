import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { AlreadyExistsError, DatabaseError, toDatabaseError } from "./errors.ts";
import { FILE_MODE } from "./file_mode.ts";
import { readVersion } from "./migrate.ts";
import { probeWriting } from "./probe.ts";

export interface SnapshotOptions {
  /** Replace an existing file. Default: refuse. */
  readonly overwrite?: boolean;
}

/** A copy of the database. */
export interface Snapshot {
  /** Absolute. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** The version of its schema. */
  readonly version: number;
}

/** SQLite's companions of a database file. */
const COMPANIONS = ["", "-journal", "-wal", "-shm"];

/**
 * Copies a database with SQLite's backup API to a temporary file beside the target, verifies the
 * copy, brings it to disk and only then gives it its name. (`VACUUM INTO` needs ATTACH, which the
 * runtime forbids under scoped permissions.)
 *
 * @throws {DatabaseError}
 */
export async function writeSnapshot(
  db: DatabaseSync,
  { from, to, overwrite = false }: SnapshotOptions & { from: string; to: string },
): Promise<Snapshot> {
  const path = resolve(to);
  const action = `cannot write the snapshot ${JSON.stringify(path)}`;
  try {
    checkTarget(path, { from, overwrite });
    return await copyTo(path, { db, overwrite });
  } catch (error) {
    if (error instanceof AlreadyExistsError) throw error;
    if (!(error instanceof DatabaseError)) throw toDatabaseError(error, action);
    throw new DatabaseError(error.code, `${action}: ${error.message}`, { cause: error.cause });
  }
}

async function copyTo(
  path: string,
  { db, overwrite }: { db: DatabaseSync; overwrite: boolean },
): Promise<Snapshot> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  closeSync(openSync(temporary, "wx", FILE_MODE));
  try {
    await copy(db, temporary);
    const version = verify(temporary);
    syncPath(temporary);
    const { size } = statSync(temporary);
    publish(temporary, path, overwrite);
    syncPath(dirname(path));
    return { path, size, version };
  } finally {
    for (const suffix of COMPANIONS) rmSync(temporary + suffix, { force: true });
  }
}

async function copy(db: DatabaseSync, file: string): Promise<void> {
  try {
    await backup(db, file);
  } catch (error) {
    rmSync(file);
    throw probeWriting(dirname(file), sizeOf(db)) ?? error;
  }
}

/** Of the whole database, in bytes; 0 if it cannot be read. */
function sizeOf(db: DatabaseSync): number {
  if (!db.isOpen) return 0;
  const pages = db.prepare("PRAGMA page_count").get()?.page_count;
  const size = db.prepare("PRAGMA page_size").get()?.page_size;
  return Number(pages) * Number(size);
}

function checkTarget(path: string, { from, overwrite }: { from: string; overwrite: boolean }) {
  const found = statSync(path, { throwIfNoEntry: false });
  // It may be gone, which is when a copy is needed most.
  const source = statSync(from, { throwIfNoEntry: false });
  const isSource = source !== undefined && found?.dev === source.dev && found.ino === source.ino;
  // Replacing the live database would lose whatever is written from then on.
  if (isSource || COMPANIONS.some((suffix) => path === from + suffix)) {
    throw new DatabaseError("not_permitted", "it is the database itself");
  }
  if (found === undefined) return;
  if (!found.isFile()) throw new DatabaseError("cannot_open", "it is not a regular file");
  if (!overwrite) throw exists(path);
}

/** Makes the copy one file without companions, reads it whole, and returns its version. */
function verify(file: string): number {
  const copy = new DatabaseSync(file);
  try {
    copy.prepare("PRAGMA journal_mode = DELETE").get();
    const result = copy.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
    if (result !== "ok") throw new DatabaseError("corrupt", `the copy is damaged: ${result}`);
    return readVersion(copy);
  } finally {
    copy.close();
  }
}

function publish(temporary: string, path: string, overwrite: boolean): void {
  if (overwrite) return renameSync(temporary, path);
  try {
    // A rename would replace a file that has appeared meanwhile; a link refuses to.
    linkSync(temporary, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw exists(path);
    throw error;
  }
}

/** Brings a file's contents, or a directory's entries, to the disk. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function exists(path: string): AlreadyExistsError {
  return new AlreadyExistsError(`the file ${JSON.stringify(path)} exists already`);
}
