import { chmodSync, closeSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { compareWithMarker, refuseMissing, remedy } from "./acknowledged.ts";
import { DatabaseError, type DatabaseErrorCode, toDatabaseError } from "./errors.ts";
import { FILE_MODE } from "./file_mode.ts";
import { checkDigest, establishIdentity, readIdentity } from "./identity.ts";
import { Marker } from "./marker.ts";
import { migrate, readVersion, refuseNewer } from "./migrate.ts";
import { probeWriting } from "./probe.ts";
import type { ProgramSchema } from "./program_schema.ts";
import type { DatabaseParts, StateDatabase } from "./state_database.ts";

/** How long a write waits for the lock of another process. */
const BUSY_TIMEOUT_MS = 2_000;

export interface OpenOptions {
  /** How long to wait for another process's lock. Default: 2,000 ms. */
  readonly busyTimeoutMs?: number;
  /**
   * Neither create nor migrate nor change the database. One with an older schema can be opened for
   * {@link StateDatabase.snapshot} and {@link StateDatabase.version} alone.
   */
  readonly readOnly?: boolean;
  /** The most pages of 4 KiB that the file may have. Default: SQLite's own limit. */
  readonly maxPages?: number;
}

/** A program's database: what is in it, and its class. */
export interface Program<D extends StateDatabase> {
  readonly schema: ProgramSchema;
  readonly make: (db: DatabaseSync, parts: DatabaseParts) => D;
}

/**
 * Opens a database and brings its schema up to date. A new file has mode 0600; an older one gets it.
 * The path is a path: neither `:memory:` nor a `file:` URI means anything special.
 *
 * @param make the program's own class around the connection.
 * @throws {DatabaseError}
 */
export function openStateDatabase<D extends StateDatabase>(
  path: string,
  options: OpenOptions,
  { schema, make }: Program<D>,
): D {
  const { readOnly = false, busyTimeoutMs = BUSY_TIMEOUT_MS, maxPages } = options;
  const file = resolve(path);
  const action = `cannot open the database ${JSON.stringify(file)}`;
  const connect = () => new DatabaseSync(file, { readOnly, timeout: busyTimeoutMs });
  let db: DatabaseSync | undefined;
  let marker: Marker | undefined;
  try {
    if (!readOnly) marker = Marker.open(file);
    prepareFile(file, { readOnly, marker });
    db = connect();
    // First: what is no database says so here.
    checkIntegrity(db, { everyPage: !readOnly });
    // Before the first write: a file that is not ours stays as it is.
    refuseNewer(readVersion(db), schema.migrations.length);
    if (marker === undefined) return make(db, { path: file, busyTimeoutMs, schema });
    checkAcknowledged(db, marker, schema);
    configure(db, maxPages);
    migrate(db, schema.migrations);
    const identity = establishIdentity(db, schema);
    // A database in which nothing was ever stored has nothing to lose.
    if (identity.generation > 0) marker.write(identity);
    restrictMode(file);
    const again = () => reconnect(connect(), { maxPages, schema });
    const read = () => new DatabaseSync(file, { readOnly: true, timeout: 0 });
    const parts = { path: file, busyTimeoutMs, marker, connect: again, read, schema };
    const database = make(db, parts);
    // What was migrated, or brought out of a log that a crash left, is not to hang on that log.
    database.safekeeping?.checkpoint();
    return database;
  } catch (error) {
    db?.close();
    throw describe(error, { action, file, marker, schema });
  }
}

/** Compares what is there with itself and with what was acknowledged, before anything is written. */
function checkAcknowledged(db: DatabaseSync, marker: Marker, schema: ProgramSchema): void {
  // In one transaction: a process that is being taken over may commit between two looks.
  db.prepare("BEGIN").run();
  try {
    const identity = readIdentity(db);
    compareWithMarker(identity, marker);
    if (identity !== undefined) checkDigest(db, identity, schema);
  } finally {
    db.prepare("ROLLBACK").run();
  }
}

/** Another connection for a database that is open, to a file that was written back. */
function reconnect(
  db: DatabaseSync,
  { maxPages, schema }: {
    readonly maxPages: number | undefined;
    readonly schema: ProgramSchema;
  },
): DatabaseSync {
  configure(db, maxPages);
  establishIdentity(db, schema);
  return db;
}

/**
 * A database that ends with the process.
 *
 * @throws {DatabaseError}
 */
export function openInMemory<D extends StateDatabase>({ schema, make }: Program<D>): D {
  const db = new DatabaseSync(":memory:");
  keepTemporaryInMemory(db);
  db.prepare("PRAGMA foreign_keys = ON").run();
  migrate(db, schema.migrations);
  return make(db, { path: ":memory:", busyTimeoutMs: 0, schema });
}

/**
 * `whole` compares the indexes with their tables too: five times the time, which is a third of a
 * second for 400,000 rows.
 *
 * @throws {DatabaseError} `corrupt` if SQLite finds damage in any page.
 */
export function checkIntegrity(db: DatabaseSync, { everyPage = false } = {}): void {
  const check = everyPage ? "integrity_check" : "quick_check";
  const found = db.prepare(`PRAGMA ${check}(1)`).get()?.[check];
  if (found === "ok") return;
  throw new DatabaseError("corrupt", `the file is damaged: ${found}`);
}

/**
 * Looks at the file before SQLite does, which reports nothing but "unable to open". An existing
 * file is never opened here: closing it again would drop the locks that SQLite holds on it in this
 * process (https://sqlite.org/howtocorrupt.html §2.2).
 */
function prepareFile(
  file: string,
  { readOnly, marker }: { readOnly: boolean; marker: Marker | undefined },
): void {
  const directory = dirname(file);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DatabaseError(
      "missing_directory",
      `the directory ${JSON.stringify(directory)} does not exist`,
    );
  }
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isFile()) throw new DatabaseError("cannot_open", "it is not a regular file");
    if (!readOnly) restrictMode(file);
    return;
  }
  if (readOnly) throw new DatabaseError("not_found", "the file does not exist");
  if (marker !== undefined) refuseMissing(marker);
  try {
    closeSync(openSync(file, "wx", FILE_MODE));
  } catch (error) {
    // Another process that starts at the same time was faster.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** SQLite gives its two companions the mode of the database, but only when it creates them. */
function restrictMode(file: string): void {
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && (found.mode & 0o077) !== 0) restrictOne(path);
  }
}

function restrictOne(path: string): void {
  try {
    chmodSync(path, FILE_MODE);
  } catch (error) {
    // The last other process to have it open closed it meanwhile, which removes the companions.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function configure(db: DatabaseSync, maxPages: number | undefined): void {
  keepTemporaryInMemory(db);
  // WAL: readers and the backup do not block the writer. FULL: an acknowledged row survives a
  // power cut.
  db.prepare("PRAGMA journal_mode = WAL").get();
  db.prepare("PRAGMA synchronous = FULL").run();
  db.prepare("PRAGMA foreign_keys = ON").run();
  // Checkpoints are ours to make: each is preceded by a look whether the file is still ours.
  db.prepare("PRAGMA wal_autocheckpoint = 0").get();
  if (maxPages !== undefined) db.prepare(`PRAGMA max_page_count = ${maxPages}`).get();
}

/**
 * The program may not write to /tmp. Before the first temporary trigger: changing it later would drop
 * them all.
 */
function keepTemporaryInMemory(db: DatabaseSync): void {
  db.prepare("PRAGMA temp_store = MEMORY").run();
}

/** What a snapshot helps against. */
const RESTORABLE: ReadonlySet<DatabaseErrorCode> = new Set(["corrupt", "damaged", "lost"]);
/** As what else damage to a database may appear that was one of ours. */
const MAY_BE_DAMAGE: ReadonlySet<DatabaseErrorCode> = new Set([
  "failed",
  "foreign_database",
  "newer_schema",
]);

function describe(
  error: unknown,
  { action, file, marker, schema }: {
    action: string;
    file: string;
    marker: Marker | undefined;
    schema: ProgramSchema;
  },
) {
  const found = translate(error, { action, file });
  const isRestorable = RESTORABLE.has(found.code) ||
    marker?.last !== undefined && MAY_BE_DAMAGE.has(found.code);
  if (!isRestorable || marker === undefined) return found;
  const message = `${found.message}; ${remedy(file, marker.last?.id, schema)}`;
  return new DatabaseError(found.code, message, { cause: found.cause });
}

function translate(error: unknown, { action, file }: { action: string; file: string }) {
  if (error instanceof DatabaseError) {
    return new DatabaseError(error.code, `${action}: ${error.message}`, { cause: error.cause });
  }
  const found = toDatabaseError(error, action);
  if (found.code !== "cannot_open" && found.code !== "failed") return found;
  // One page: what a journal needs at least.
  return toDatabaseError(probeWriting(dirname(file), 4096) ?? error, action);
}
