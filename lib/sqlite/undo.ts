import type { DatabaseSync } from "node:sqlite";
import { columnName } from "../schema/mod.ts";
import type { Statements } from "./statements.ts";

const SQL = {
  table: "CREATE TEMP TABLE undo_log (seq INTEGER PRIMARY KEY, statement TEXT NOT NULL)",
  // One row: whether the triggers write.
  state: "CREATE TEMP TABLE undo_state (recording INTEGER NOT NULL)",
  initial: "INSERT INTO undo_state VALUES (0)",
  record: "UPDATE undo_state SET recording = ?",
  clear: "DELETE FROM undo_log",
  latestFirst: "SELECT statement FROM undo_log ORDER BY seq DESC",
} as const;

/**
 * Takes back what a committed transaction did, row by row and with the same ids. Triggers of this
 * connection write the inverse of each change to a table in memory
 * (https://sqlite.org/undoredo.html), so that no writer can forget one and rows that a foreign key
 * removed come back too.
 */
export class UndoLog {
  #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #tables: readonly string[];
  #installed = false;

  /** @param tables that a mutation can write to, beside the audit log; the identity only grows. */
  constructor(
    db: DatabaseSync,
    { statements, tables }: { readonly statements: Statements; readonly tables: readonly string[] },
  ) {
    this.#db = db;
    this.#statements = statements;
    this.#tables = [...tables, "audit_log"];
  }

  /** Takes another connection to the same database; nothing can be undone before the next record. */
  use(db: DatabaseSync): void {
    this.#db = db;
    this.#installed = false;
  }

  /** Runs `body` and records what it changes. Outside of a transaction: `body` begins its own. */
  record<T>(body: () => T): T {
    this.begin();
    try {
      return body();
    } finally {
      this.end();
    }
  }

  /** {@link record} in two halves; outside of a transaction. */
  begin(): void {
    this.#install();
    this.#statements.write(SQL.clear);
    this.#statements.write(SQL.record, [1]);
  }

  /** The other half, also after a failure. */
  end(): void {
    this.#statements.write(SQL.record, [0]);
  }

  /** Undoes what was recorded last. In a transaction, whose errors are the caller's. */
  undo(): void {
    // Children may come back before their parents.
    this.#db.prepare("PRAGMA defer_foreign_keys = ON").run();
    for (const { statement } of this.#statements.all(SQL.latestFirst)) {
      this.#db.prepare(String(statement)).run();
    }
    this.#statements.write(SQL.clear);
  }

  #install(): void {
    if (this.#installed) return;
    for (const sql of [SQL.table, SQL.state, SQL.initial]) this.#db.prepare(sql).run();
    for (const table of this.#tables) {
      const columns = this.#statements.all(`PRAGMA table_info(${table})`).map((c) =>
        columnName(String(c.name))
      );
      for (const sql of triggersOf(table, columns)) this.#db.prepare(sql).run();
    }
    this.#installed = true;
  }
}

function triggersOf(table: string, columns: readonly string[]): string[] {
  const assignments = columns.map((c) => `${c}=' || quote(old.${c}) || '`).join(", ");
  const values = columns.map((c) => `' || quote(old.${c}) || '`).join(", ");
  const where = "WHERE rowid=' || ";
  return [
    trigger(table, "INSERT", `'DELETE FROM ${table} ${where}new.rowid`),
    trigger(table, "UPDATE", `'UPDATE ${table} SET ${assignments} ${where}new.rowid`),
    trigger(table, "DELETE", `'INSERT INTO ${table} (${columns.join(", ")}) VALUES (${values})'`),
  ];
}

function trigger(table: string, event: string, inverse: string): string {
  return `CREATE TEMP TRIGGER undo_${event.toLowerCase()}_${table} AFTER ${event} ON main.${table}
    WHEN (SELECT recording FROM undo_state)
    BEGIN INSERT INTO undo_log (statement) VALUES (${inverse}); END`;
}
