import { renameSync, rmSync, statSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { computeDigest } from "./digest.ts";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import { checkDigest, establishIdentity, readIdentity } from "./identity.ts";
import { Marker } from "./marker.ts";
import { migrate, readVersion, refuseNewer } from "./migrations.ts";
import { moveAside } from "./safekeeping.ts";
import { syncPath, writeSnapshot } from "./snapshot.ts";

/** What a restored database holds. */
export interface Restored {
  /** Of the audit log. */
  readonly revision: number;
  readonly listeners: number;
  readonly routes: number;
  readonly firewallRules: number;
  /** Where the database that was there before is now. */
  readonly aside: string | undefined;
}

const SQL = {
  advance: "UPDATE identity SET generation = ?, digest = ?, digest_version = ?",
  counts: `SELECT (SELECT count(*) FROM listeners) AS listeners,
    (SELECT count(*) FROM routes) AS routes,
    (SELECT count(*) FROM firewall_rules) AS rules`,
} as const;

/**
 * Puts a snapshot in the place of a database and makes it what was acknowledged. The files that were
 * there are moved aside. No program may have the database open.
 *
 * @throws {DatabaseError} if the snapshot is no good; nothing has changed then.
 */
export async function restoreDatabase(
  database: string,
  { from }: { readonly from: string },
): Promise<Restored> {
  const path = resolve(database);
  const action = `cannot restore the database ${JSON.stringify(path)}`;
  // Beside it, to be renamed; hidden, because it is no snapshot to restore from.
  const fresh = join(dirname(path), `.restore.${randomUUID()}.tmp`);
  try {
    await copyChecked(resolve(from), fresh);
    const db = new DatabaseSync(fresh);
    let restored: Restored;
    try {
      migrate(db);
      restored = { ...accept(db, path), aside: undefined };
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
    throw describe(error, action);
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
export function acceptDatabase(database: string): Restored {
  const path = resolve(database);
  let db: DatabaseSync | undefined;
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      throw new DatabaseError("not_found", "the file does not exist");
    }
    db = new DatabaseSync(path);
    checkPages(db);
    migrate(db);
    const restored = accept(db, path);
    remember(path, db);
    return { ...restored, aside: undefined };
  } catch (error) {
    throw describe(error, `cannot accept the database ${JSON.stringify(path)}`);
  } finally {
    db?.close();
  }
}

/** A copy of a snapshot whose content is what this program wrote. */
async function copyChecked(from: string, to: string): Promise<void> {
  if (statSync(from, { throwIfNoEntry: false }) === undefined) {
    throw new DatabaseError("not_found", `the snapshot ${JSON.stringify(from)} does not exist`);
  }
  const snapshot = new DatabaseSync(from, { readOnly: true });
  try {
    checkPages(snapshot);
    refuseNewer(readVersion(snapshot));
    const identity = readIdentity(snapshot);
    if (identity !== undefined) checkDigest(snapshot, identity);
    await writeSnapshot(snapshot, { from, to });
  } finally {
    snapshot.close();
  }
}

/** Goes beyond everything that was acknowledged, so that nothing older can pass for it. */
function accept(db: DatabaseSync, path: string): Omit<Restored, "aside"> {
  const { generation } = establishIdentity(db);
  const beyond = Math.max(generation, readMarker(path)?.last?.generation ?? 0) + 1;
  db.prepare(SQL.advance).run(beyond, computeDigest(db), readVersion(db));
  const counts = db.prepare(SQL.counts).get();
  return {
    revision: readIdentity(db)?.revision ?? 0,
    listeners: Number(counts?.listeners),
    routes: Number(counts?.routes),
    firewallRules: Number(counts?.rules),
  };
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

function describe(error: unknown, action: string): DatabaseError {
  if (!(error instanceof DatabaseError)) return toDatabaseError(error, action);
  return new DatabaseError(error.code, `${action}: ${error.message}`, { cause: error.cause });
}
