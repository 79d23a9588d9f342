import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { columnName } from "../schema/mod.ts";
import type { ProgramSchema } from "./program_schema.ts";

/**
 * Digests are sums of row hashes modulo this number: rows can come and go one by one, in any order.
 * 52 bits: sums of two are exact in a double, and an accident goes unnoticed once in 10^15. Against
 * somebody who may write to the data folder no digest in it helps.
 */
const MODULUS = 2 ** 52;
const MASK = MODULUS - 1;

const FUNCTION = "mc_row_hash";

/**
 * The hash of one row: its table and the values of its columns. Not cryptographic: it is made once for
 * each row that changes, and for each row at a start.
 */
export function hashRow(table: string, values: readonly SQLInputValue[]): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  const mix = (text: string) => {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 2654435761);
      b = Math.imul(b ^ unit, 1597334677);
      a ^= a >>> 15;
    }
    // Ends a value: ("ab", "c") is not ("a", "bc").
    a = Math.imul(a ^ 0x1_0000, 2246822507);
    b = Math.imul(b ^ 0x1_0001, 3266489909);
  };
  mix(table);
  for (const value of values) mix(value === null ? "null" : `${typeof value} ${value}`);
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b & 0xfffff) * 2 ** 32 + (a >>> 0);
}

/**
 * The schema counts too: with one bit of it another, a column has another name, or a CHECK another
 * meaning. What SQLite keeps for itself is left out.
 */
const SCHEMA = `SELECT ${FUNCTION}('sqlite_schema', type, name, tbl_name, sql) AS hash
  FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`;

/** The digest of every row of the state and of the schema, read from the tables themselves. */
export function computeDigest(db: DatabaseSync, schema: ProgramSchema): number {
  defineHash(db);
  let digest = 0;
  for (const { hash } of db.prepare(SCHEMA).iterate()) digest = (digest + Number(hash)) % MODULUS;
  for (const [table, columns] of stateColumns(db, schema)) {
    const rows = db.prepare(`SELECT ${FUNCTION}('${table}', ${columns.join(", ")}) AS hash
      FROM ${table}`);
    for (const { hash } of rows.iterate()) digest = (digest + Number(hash)) % MODULUS;
  }
  return digest;
}

/**
 * Keeps `identity.digest` true and `identity.generation` growing with each change of the state that
 * this connection makes: triggers cannot be forgotten, and what they write commits or is undone with
 * the change. A change by another program leaves the digest behind, which is how it is noticed.
 */
export function installDigest(db: DatabaseSync, schema: ProgramSchema): void {
  defineHash(db);
  for (const [table, columns] of stateColumns(db, schema)) {
    const hash = (row: "new" | "old") =>
      `${FUNCTION}('${table}', ${columns.map((column) => `${row}.${column}`).join(", ")})`;
    const triggers = [
      ["insert", "INSERT", `digest + ${hash("new")}`],
      ["delete", "DELETE", `digest - ${hash("old")}`],
      // In two steps, each exact.
      [
        "update",
        `UPDATE OF ${columns.join(", ")}`,
        `((digest - ${hash("old")}) & ${MASK}) + ${hash("new")}`,
      ],
    ] as const;
    for (const [name, event, sum] of triggers) {
      db.prepare(
        `CREATE TEMP TRIGGER digest_${name}_${table} AFTER ${event} ON main.${table} BEGIN
          UPDATE identity SET generation = generation + 1, digest = (${sum}) & ${MASK}; END`,
      ).run();
    }
  }
}

function defineHash(db: DatabaseSync): void {
  db.function(FUNCTION, { deterministic: true, varargs: true }, (table, ...values) => {
    return hashRow(String(table), values);
  });
}

/** The columns of the state, by table; those tables that an older schema has. */
function stateColumns(
  db: DatabaseSync,
  { stateTables, statistics }: ProgramSchema,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const table of stateTables) {
    const columns = db.prepare(`PRAGMA table_info(${table})`).all()
      .map(({ name }) => String(name))
      .filter((name) => statistics?.has(`${table}.${name}`) !== true)
      .map(columnName);
    if (columns.length > 0) found.set(table, columns);
  }
  return found;
}
