import type { AnyField, Form } from "./kind.ts";
import { fromJson, toJson } from "./plain.ts";

/** What SQLite keeps of a value. */
export type ColumnValue = string | number | null;

/** Kept as a number, in the unit that they have in memory. */
const NUMBERS: ReadonlySet<Form> = new Set(["boolean", "integer", "duration", "size", "time"]);

/** Names that SQL has for something else. */
const KEYWORDS: ReadonlySet<string> = new Set(["default"]);

/** A column's name as SQL takes it. */
export function columnName(key: string): string {
  return KEYWORDS.has(key) ? `"${key}"` : key;
}

/** The type of a field's column. */
export function columnType({ kind }: AnyField): "INTEGER" | "TEXT" {
  const { form } = kind;
  return NUMBERS.has(form) ? "INTEGER" : "TEXT";
}

/**
 * What the column of a field holds for a value; `NULL` for none, but in the columns of the first
 * versions, which cannot hold it.
 */
export function toColumn(field: AnyField, value: unknown): ColumnValue {
  const { kind } = field;
  if (value === undefined && "optional" in field && field.since === undefined) {
    value = field.absent ?? undefined;
  }
  if (value === undefined) return null;
  switch (kind.form) {
    case "boolean":
      return Number(value);
    case "integer":
    case "duration":
    case "size":
    case "time":
      return value as number;
    case "text":
      return value as string;
    default:
      return JSON.stringify(toJson(kind, value));
  }
}

/**
 * The value in a column, `undefined` for none.
 *
 * @throws {TypeError} if the column holds something else: SQLite's types bind loosely, and other
 * programs can write.
 */
export function fromColumn(field: AnyField, stored: unknown): unknown {
  const { kind } = field;
  if (stored === null && (field.since !== undefined || "optional" in field)) return undefined;
  if (columnType(field) === "INTEGER") {
    if (typeof stored !== "number") throw unexpected(field);
    return kind.form === "boolean" ? stored !== 0 : stored;
  }
  if (typeof stored !== "string") throw unexpected(field);
  if (kind.form === "text") return stored;
  const value = fromJson(kind, parseJson(stored));
  if (value === undefined) throw unexpected(field);
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unexpected({ key }: AnyField): TypeError {
  return new TypeError(`unexpected value in the column ${key}`);
}
