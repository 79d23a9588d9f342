import type { DatabaseSync } from "node:sqlite";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import type { Migration } from "./program_schema.ts";
import { transact } from "./transact.ts";

const CREATE_VERSIONS = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY,
  applied_at TEXT NOT NULL
)`;

/**
 * The version of a database; 0 for an empty one.
 *
 * @throws {DatabaseError} `foreign_database` if it holds tables, but not ours.
 */
export function readVersion(db: DatabaseSync): number {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  if (!tables.some(({ name }) => name === "schema_migrations")) {
    if (tables.length === 0) return 0;
    throw new DatabaseError("foreign_database", "the file is a database of another program");
  }
  const row = db.prepare("SELECT max(version) AS version FROM schema_migrations").get();
  return typeof row?.version === "number" ? row.version : 0;
}

/**
 * Brings a database to the version of the last migration. Each migration is one transaction with
 * its version row: a failure leaves the version before it. An empty database gets all of them in one,
 * and so has all or nothing: a first start waits for the disk once instead of for each.
 *
 * @throws {DatabaseError} `newer_schema` if the database is ahead of this program.
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[]): void {
  const latest = migrations.length;
  const found = readVersion(db);
  refuseNewer(found, latest);
  if (found === latest) return;
  // A table that is built anew must not take the rows that refer to it along. This setting is
  // ignored inside a transaction; `apply` checks every reference before it commits.
  db.prepare("PRAGMA foreign_keys = OFF").run();
  try {
    const applyAll = () => migrations.slice(found).forEach((migration) => apply(db, migration));
    if (found === 0) transact(db, applyAll);
    else applyAll();
  } finally {
    db.prepare("PRAGMA foreign_keys = ON").run();
  }
}

/**
 * @throws {DatabaseError} `newer_schema` if `found` is over `latest`.
 */
export function refuseNewer(found: number, latest: number): void {
  if (found <= latest) return;
  const message =
    `the database has version ${found} and this program knows ${latest}: a newer one wrote it`;
  throw new DatabaseError("newer_schema", message);
}

function apply(db: DatabaseSync, { version, statements }: Migration): void {
  try {
    transact(db, () => {
      // Another process may have been faster, before this transaction took the lock.
      if (readVersion(db) >= version) return;
      db.prepare(CREATE_VERSIONS).run();
      for (const statement of statements) db.prepare(statement).run();
      const dangling = db.prepare("PRAGMA foreign_key_check").get();
      if (dangling !== undefined) {
        throw new DatabaseError("corrupt", `a row of ${dangling.table} refers to nothing`);
      }
      db.prepare("INSERT INTO schema_migrations (version, applied_at) VALUES (?, ?)")
        .run(version, new Date().toISOString());
    });
  } catch (error) {
    throw toDatabaseError(error, `cannot migrate the database to version ${version}`);
  }
}
