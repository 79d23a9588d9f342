import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { DatabaseError, NotFoundError, toDatabaseError } from "./errors.ts";

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** Prepared statements of one connection, with errors translated; what the tables are made of. */
export class Statements {
  #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  #reader: DatabaseSync | undefined;
  readonly #readers = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Every row of a query. */
  all(sql: string, values: readonly SQLInputValue[] = []): Row[] {
    return this.#prepareRead(sql).all(...values);
  }

  /** {@link all}, a step for each row; nothing else may use the connection meanwhile. */
  *each<T>(sql: string, convert: (row: Row) => T): Generator<undefined, T[]> {
    const found: T[] = [];
    for (const row of this.rows(sql)) {
      found.push(convert(row));
      yield;
    }
    return found;
  }

  /** {@link all}, read when they are taken; nothing else may use the connection meanwhile. */
  *rows(sql: string): Generator<Row> {
    yield* this.#prepareRead(sql).iterate();
  }

  /** The first row of a query. */
  get(sql: string, values: readonly SQLInputValue[] = []): Row | undefined {
    return this.#prepareRead(sql).get(...values);
  }

  /** Runs a statement; how many rows it changed. */
  write(sql: string, values: readonly SQLInputValue[] = []): number {
    return Number(this.#prepare(sql).run(...bindable(values)).changes);
  }

  /**
   * The id of the new row. Not `RETURNING id` with `get()`: that stops at the row, and the error of
   * a commit that fails afterwards would be lost.
   */
  insert(sql: string, values: readonly SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...bindable(values)).lastInsertRowid);
  }

  /** Changes rows that have to be there. */
  change(sql: string, values: readonly SQLInputValue[], action: string): void {
    this.run(action, () => {
      if (this.write(sql, values) > 0) return;
      throw new NotFoundError(`${action}: it does not exist`);
    });
  }

  /** Runs a step; `action` begins the message if it fails. */
  run<T>(action: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw toDatabaseError(error, action);
    }
  }

  /** Takes another connection to the same database. */
  use(db: DatabaseSync): void {
    this.clear();
    this.#db = db;
  }

  /**
   * Reads by another connection from now on, or by the own one again: while a transaction is open
   * between two of its slices, nobody else is to see its half.
   */
  readFrom(reader: DatabaseSync | undefined): void {
    this.#reader = reader;
  }

  /** Forgets every statement; for when the connection closes. */
  clear(): void {
    this.#prepared.clear();
    this.#readers.clear();
    this.#reader = undefined;
  }

  #prepareRead(sql: string): StatementSync {
    if (this.#reader === undefined) return this.#prepare(sql);
    let statement = this.#readers.get(sql);
    if (statement === undefined) {
      statement = this.#reader.prepare(sql);
      this.#readers.set(sql, statement);
    }
    return statement;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

/**
 * @throws {DatabaseError} `invalid_value` for a text with a NUL, which the runtime would cut there.
 */
function bindable(values: readonly SQLInputValue[]): readonly SQLInputValue[] {
  if (!values.some((value) => typeof value === "string" && value.includes("\0"))) return values;
  throw new DatabaseError("invalid_value", "a text with a NUL cannot be stored");
}
