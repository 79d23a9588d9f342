import type { DatabaseSync } from "node:sqlite";
import { columnType } from "../schema/mod.ts";
import { LISTENER, POLICY, ROUTE, RULE } from "../state/mod.ts";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import { type Migration, WRITTEN } from "./written_migrations.ts";
import { transact } from "./transact.ts";

/** The tables of records, whose fields may bring columns of their own. */
const TABLES = [["listeners", LISTENER], ["routes", ROUTE], ["firewall_rules", RULE], [
  "l7_policies",
  POLICY,
]] as const;

/** In order, without gaps from 1. */
export const MIGRATIONS: readonly Migration[] = withColumns(WRITTEN);

/**
 * Adds the columns of fields that came with a version, or after the last one that is written down.
 * Their text depends on nothing but table, name and type, so that it stays what it was; without a
 * value they are NULL, which means that the field is absent.
 */
function withColumns(written: readonly Migration[]): readonly Migration[] {
  const columns = TABLES.flatMap(([table, { shape }]) =>
    [...shape.fields.values()].filter(({ since }) => since !== undefined).map((field) => ({
      since: field.since ?? 0,
      statement: `ALTER TABLE ${table} ADD COLUMN ${field.key} ${columnType(field)}`,
    }))
  );
  const latest = Math.max(written.length, ...columns.map(({ since }) => since));
  return Array.from({ length: latest }, (_, i) => {
    const version = i + 1;
    const added = columns.filter(({ since }) => since === version).map((it) => it.statement);
    return { version, statements: [...written[i]?.statements ?? [], ...added] };
  });
}

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

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
 * its version row: a failure leaves the version before it.
 *
 * @throws {DatabaseError} `newer_schema` if the database is ahead of this program.
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[] = MIGRATIONS): void {
  const latest = migrations.length;
  const found = readVersion(db);
  refuseNewer(found, latest);
  if (found === latest) return;
  // A table that is built anew must not take the rows that refer to it along. This setting is
  // ignored inside a transaction; `apply` checks every reference before it commits.
  db.prepare("PRAGMA foreign_keys = OFF").run();
  try {
    for (const migration of migrations.slice(found)) apply(db, migration);
  } finally {
    db.prepare("PRAGMA foreign_keys = ON").run();
  }
}

/**
 * @throws {DatabaseError} `newer_schema` if `found` is over `latest`.
 */
export function refuseNewer(found: number, latest: number = SCHEMA_VERSION): void {
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
