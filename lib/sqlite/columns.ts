import {
  type AnyField,
  columnName,
  type ColumnValue,
  complete,
  fromColumn,
  type RecordKind,
  Report,
  toColumn,
} from "../schema/mod.ts";
import { DatabaseError } from "./errors.ts";
import type { Row } from "./statements.ts";

/** The columns of the fields of a record, in one order for all statements. */
export class Columns<T extends object> {
  readonly #kind: RecordKind<T>;
  readonly #fields: readonly (readonly [property: string, field: AnyField])[];

  constructor(kind: RecordKind<T>) {
    this.#kind = kind;
    // Kept apart: in a table of their own.
    this.#fields = [...kind.shape.fields].filter(([, { apart }]) => apart !== true);
  }

  /** `a, b, c`. */
  get names(): string {
    return this.#fields.map(([, { key }]) => columnName(key)).join(", ");
  }

  /** `?, ?, ?`. */
  get placeholders(): string {
    return this.#fields.map(() => "?").join(", ");
  }

  /** `a = ?, b = ?, c = ?`. */
  get assignments(): string {
    return this.#fields.map(([, { key }]) => `${columnName(key)} = ?`).join(", ");
  }

  /** What is bound to the placeholders. */
  values(record: T): ColumnValue[] {
    const values = record as Readonly<Record<string, unknown>>;
    return this.#fields.map(([property, field]) => toColumn(field, values[property]));
  }

  /**
   * The record of a row. Rows of the first versions, and those that an operator wrote by hand, may
   * hold any spelling; a text that does not parse stays as it is, for whoever compiles the record
   * to name it.
   *
   * @throws {DatabaseError} `corrupt` for values of another type, and for words that are unknown.
   */
  read(row: Row): T {
    const found: Record<string, unknown> = {};
    for (const [property, field] of this.#fields) {
      found[property] = readColumn(row, field);
    }
    return complete(this.#kind, found as Partial<T>);
  }
}

function readColumn(row: Row, field: AnyField): unknown {
  try {
    const value = fromColumn(field, row[field.key]);
    const { words } = field.kind;
    if (value === undefined || value === "") return value;
    if (words === undefined) return canonical(field, value);
    if (words.includes(String(value))) return value;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw unexpected(row, field.key);
}

function canonical({ kind }: AnyField, value: unknown): unknown {
  const report = new Report();
  const checked = kind.check(value, { path: [], report });
  return report.isEmpty ? checked : value;
}

/** SQLite's types bind loosely: another program can store a text where a number belongs. */
export function unexpected(row: Row, column: string): DatabaseError {
  const message = `the row with the id ${row.id} has an unexpected value in the column ${column}`;
  return new DatabaseError("corrupt", message);
}

/** A column that holds a number. */
export function numberIn(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw unexpected(row, column);
  return value;
}
