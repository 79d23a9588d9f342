import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { AlreadyExistsError, DatabaseError, toDatabaseError } from "./errors.ts";
import { FILE_MODE } from "./file_mode.ts";
import { readVersion } from "./migrate.ts";
import { probeWriting } from "./probe.ts";

export interface SnapshotOptions {
  /** Replace an existing snapshot; nothing else is ever replaced. Default: refuse. */
  readonly overwrite?: boolean;
}

/** A copy of the database. */
export interface Snapshot {
  /** Absolute. */
  readonly path: string;
  /** In octets. */
  readonly size: number;
  /** The version of its schema. */
  readonly version: number;
}

/** SQLite's companions of a database file. */
const COMPANIONS = ["", "-journal", "-wal", "-shm"];

/** Of the index of a write-ahead log when it is made, in octets (SQLite, walformat.html). */
const LOG_INDEX_SIZE = 32 * 1024;

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
    const version = await copy(db, temporary);
    syncPath(temporary);
    const { size } = statSync(temporary);
    publish(temporary, path, overwrite);
    syncPath(dirname(path));
    return { path, size, version };
  } finally {
    for (const suffix of COMPANIONS) rmSync(temporary + suffix, { force: true });
  }
}

/** Copies and verifies; the version of the copy. */
async function copy(db: DatabaseSync, file: string): Promise<number> {
  try {
    await backup(db, file);
    return verify(file);
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    // SQLite calls it an I/O error too when the disk has no room for the index of its log.
    for (const suffix of COMPANIONS) rmSync(file + suffix, { force: true });
    throw probeWriting(dirname(file), sizeOf(db) + LOG_INDEX_SIZE) ?? error;
  }
}

/** Of the whole database, in octets; 0 if it cannot be read. */
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
  if (!lstatSync(path).isFile()) throw new DatabaseError("cannot_open", "it is not a regular file");
  if (!overwrite) throw exists(path);
  checkReplaceable(path);
}

/** "SQLite format 3" and NUL, at the beginning of every database (file format, §1.3). */
const MAGIC = new TextEncoder().encode("SQLite format 3\0");
/** Of the header the octets that say how it is written: 1 by journal, 2 by log. */
const WRITE_FORMAT = 18;
const BY_JOURNAL = 1;

/**
 * Whoever may ask for a snapshot names a path, and one slip, or one stranger on the admin socket,
 * would replace a key, a configuration, or the database of the connector or of another proxy. A
 * snapshot of ours has our schema, and unlike a live database is not written by a log.
 */
function checkReplaceable(path: string): void {
  const header = readStart(path, WRITE_FORMAT + 1);
  const isDatabase = MAGIC.every((octet, i) => header[i] === octet);
  if (isDatabase && header[WRITE_FORMAT] === BY_JOURNAL) {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      if (readVersion(db) > 0) return;
    } catch {
      // Damaged, or of another program.
    } finally {
      db.close();
    }
  }
  throw new DatabaseError("not_a_snapshot", "the file there is no snapshot");
}

function readStart(path: string, length: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, 0));
  } finally {
    closeSync(descriptor);
  }
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
  if (overwrite && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    // Again: copying takes a while.
    checkReplaceable(path);
    return renameSync(temporary, path);
  }
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
