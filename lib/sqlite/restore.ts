import { renameSync, rmSync, statSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { computeDigest } from "./digest.ts";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import { checkDigest, establishIdentity, readIdentity } from "./identity.ts";
import { Marker } from "./marker.ts";
import { migrate, readVersion, refuseNewer } from "./migrate.ts";
import type { ProgramSchema } from "./program_schema.ts";
import { moveAside } from "./safekeeping.ts";
import { syncPath, writeSnapshot } from "./snapshot.ts";

/** What became of a database. */
export interface Restored<T> {
  /** Of the audit log. */
  readonly revision: number;
  /** What the program says of it. */
  readonly contents: T;
  /** Where the database that was there before is now. */
  readonly aside: string | undefined;
}

/** A program whose database can be restored. */
export interface Restorable<T> {
  readonly schema: ProgramSchema;
  /** Looks at what a database holds, for a message. */
  readonly describe: (db: DatabaseSync) => T;
}

const SQL = {
  advance: "UPDATE identity SET generation = ?, digest = ?, digest_version = ?",
} as const;

/**
 * Puts a snapshot in the place of a database and makes it what was acknowledged. The files that were
 * there are moved aside. No program may have the database open.
 *
 * @throws {DatabaseError} if the snapshot is no good; nothing has changed then.
 */
export async function restoreStateDatabase<T>(
  database: string,
  { from }: { readonly from: string },
  program: Restorable<T>,
): Promise<Restored<T>> {
  const path = resolve(database);
  const action = `cannot restore the database ${JSON.stringify(path)}`;
  // Beside it, to be renamed; hidden, because it is no snapshot to restore from.
  const fresh = join(dirname(path), `.restore.${randomUUID()}.tmp`);
  try {
    await copyChecked(resolve(from), fresh, program.schema);
    const db = new DatabaseSync(fresh);
    let restored: Restored<T>;
    try {
      migrate(db, program.schema.migrations);
      restored = { ...accept(db, path, program), aside: undefined };
    } finally {
      db.close();
    }
    const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const aside = moveAside(path, time);
    renameSync(fresh, path);
    syncPath(dirname(path));
    remember(path);
    return { ...restored, aside };
  } catch (error) {
    throw describeError(error, action);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(fresh + suffix, { force: true });
  }
}

/**
 * Makes what a database holds what was acknowledged: after an edit by hand, or where nothing better
 * is left.
 *
 * @throws {DatabaseError} if SQLite cannot read it.
 */
export function acceptStateDatabase<T>(database: string, program: Restorable<T>): Restored<T> {
  const path = resolve(database);
  let db: DatabaseSync | undefined;
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      throw new DatabaseError("not_found", "the file does not exist");
    }
    db = new DatabaseSync(path);
    checkPages(db);
    migrate(db, program.schema.migrations);
    const restored = accept(db, path, program);
    remember(path, db);
    return { ...restored, aside: undefined };
  } catch (error) {
    throw describeError(error, `cannot accept the database ${JSON.stringify(path)}`);
  } finally {
    db?.close();
  }
}

/** A copy of a snapshot whose content is what this program wrote. */
async function copyChecked(from: string, to: string, schema: ProgramSchema): Promise<void> {
  if (statSync(from, { throwIfNoEntry: false }) === undefined) {
    throw new DatabaseError("not_found", `the snapshot ${JSON.stringify(from)} does not exist`);
  }
  const snapshot = new DatabaseSync(from, { readOnly: true });
  try {
    checkPages(snapshot);
    const version = readVersion(snapshot);
    // An empty file is a good database to SQLite: what an interrupted copy may leave.
    if (version === 0) throw new DatabaseError("not_a_snapshot", `${from} holds no state at all`);
    refuseNewer(version, schema.migrations.length);
    const identity = readIdentity(snapshot);
    if (identity !== undefined) checkDigest(snapshot, identity, schema);
    await writeSnapshot(snapshot, { from, to });
  } finally {
    snapshot.close();
  }
}

/** Goes beyond everything that was acknowledged, so that nothing older can pass for it. */
function accept<T>(
  db: DatabaseSync,
  path: string,
  { schema, describe }: Restorable<T>,
): Omit<Restored<T>, "aside"> {
  const { generation } = establishIdentity(db, schema);
  const beyond = Math.max(generation, readMarker(path)?.last?.generation ?? 0) + 1;
  db.prepare(SQL.advance).run(beyond, computeDigest(db, schema), readVersion(db));
  return { revision: readIdentity(db)?.revision ?? 0, contents: describe(db) };
}

function remember(path: string, open?: DatabaseSync): void {
  const db = open ?? new DatabaseSync(path, { readOnly: true });
  try {
    const identity = readIdentity(db);
    const marker = readMarker(path);
    // A damaged marker is what this replaces.
    if (marker === undefined) rmSync(Marker.pathOf(path), { force: true });
    if (identity !== undefined) (marker ?? Marker.open(path)).write(identity);
  } finally {
    if (open === undefined) db.close();
  }
}

/** The marker; nothing if it is damaged. */
function readMarker(path: string): Marker | undefined {
  try {
    return Marker.open(path);
  } catch {
    return undefined;
  }
}

function checkPages(db: DatabaseSync): void {
  const found = db.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
  if (found !== "ok") throw new DatabaseError("corrupt", `the file is damaged: ${found}`);
}

function describeError(error: unknown, action: string): DatabaseError {
  if (!(error instanceof DatabaseError)) return toDatabaseError(error, action);
  return new DatabaseError(error.code, `${action}: ${error.message}`, { cause: error.cause });
}
