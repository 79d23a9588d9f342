import { TomlDate, type TomlValue } from "smol-toml";
import type { KeyPath } from "./key_path.ts";
import type { Report } from "./problem.ts";

/** A value of a TOML document; integers are `bigint`, so that `1.0` is not one. */
export type Raw = TomlValue;

/**
 * What a value looks like, for everything that carries values without knowing what they mean: the
 * database's columns, JSON, messages of the admin API, flags.
 *
 * | Form       | In memory            | Column  | JSON and TOML      |
 * | ---------- | -------------------- | ------- | ------------------ |
 * | `boolean`  | boolean              | 0 or 1  | boolean            |
 * | `integer`  | number               | integer | integer            |
 * | `duration` | number, milliseconds | integer | text such as `5s`  |
 * | `size`     | number, octets       | integer | text such as `1MiB`|
 * | `time`     | number, ms of 1970   | integer | date and time      |
 * | `text`     | string               | text    | string             |
 * | `list`     | array                | JSON    | array              |
 * | `record`   | object               | JSON    | table              |
 * | `records`  | array of objects     | JSON    | array of tables    |
 */
export type Form =
  | "boolean"
  | "integer"
  | "duration"
  | "size"
  | "time"
  | "text"
  | "list"
  | "record"
  | "records";

/** Where a value sits, and where to say what is wrong with it. */
export interface Place {
  readonly path: KeyPath;
  readonly report: Report;
  /** The titles of the tables that have a key, for keys in the wrong table. */
  readonly tablesByKey?: ReadonlyMap<string, readonly string[]>;
}

/** A kind of value: how to read it, how to check it and how to describe it. */
export interface Kind<T> {
  readonly form: Form;
  /** For `docs/config.md`: what to write, with the bounds. */
  readonly doc: string;
  /** Stands in for a refused value, so that every other check still runs. */
  readonly empty: T;
  /** A value of a document, in canonical form; what is wrong with it goes to the report. */
  readonly read: (value: Raw, place: Place) => T;
  /** {@link read} for a value that has the right form already: from a message, from a row. */
  readonly check: (value: T, place: Place) => T;
  /** {@link check} that can be interrupted, of what may be long: a million records take seconds. */
  readonly checkInSteps?: (value: T, place: Place) => Generator<undefined, T>;
  /** As it is written in TOML, on one line. */
  readonly show: (value: T) => string;
  /** The words that there are, for flags and completions. */
  readonly words?: readonly string[];
  /** What a list holds. */
  // deno-lint-ignore no-explicit-any -- of some type; the list's own functions agree on it
  readonly element?: Kind<any>;
  /** The fields of a record, or of each of several. */
  readonly shape?: RecordShape;
}

/** What every field says of itself. */
interface FieldBase<T> {
  /** Its one name, in `snake_case`: in TOML, JSON, the protocol, the database and as a flag. */
  readonly key: string;
  readonly kind: Kind<T>;
  /** For `docs/config.md`. */
  readonly doc: string;
  /** The modes of routes that it means something for. Absent: all of them. */
  readonly modes?: readonly string[];
  /** No message, audit entry or difference shows it. */
  readonly secret?: true;
  /** The version of the database's schema that brought its column. Absent: written by hand. */
  readonly since?: number;
  /** Kept apart from the record: in a table and in messages of its own. */
  readonly apart?: true;
  readonly flag?: Flag;
  /** The column of mcproxyctl's list. */
  readonly title?: string;
}

/** How mcproxyctl takes a field. */
export interface Flag {
  /** Without the dashes. Default: the key with `-` for `_`. */
  readonly name?: string;
  /** What stands for the value. Default: `value`. A boolean has none. */
  readonly value?: string;
  readonly about: string;
  /** Of a boolean: what `--no-…` does in an update. */
  readonly off?: string;
}

/** A field that always has a value. */
export type Mandatory<T> =
  & FieldBase<T>
  & (
    | { readonly required: true }
    | { readonly default: T }
    /** A record that is read as an empty one when absent. */
    | { readonly section: true }
  );

/**
 * A field that may be absent. New fields of the state are: a value that says nothing of it means
 * what it meant before, and most routes do not carry it.
 */
export interface Optional<T> extends FieldBase<T> {
  readonly optional: true;
  /** What absence means, where a value does: it is shown to clients and never kept. */
  readonly absent?: NoInfer<T>;
}

export type Field<T> = Mandatory<T> | Optional<T>;

/** The fields of a record, for whatever walks over them. */
export interface RecordShape {
  /** `[[name]]` rather than `[name]`. */
  readonly repeated: boolean;
  /** By the names of their properties in memory. */
  readonly fields: ReadonlyMap<string, AnyField>;
  /** Properties that tell one record of several from another. */
  readonly identity: readonly string[];
}

/** A field of some type. */
// deno-lint-ignore no-explicit-any -- its kind and its default agree on the type
export type AnyField = Field<any>;

/** Says that a value is of the wrong type. */
export function refuseType(
  value: Raw,
  wanted: string,
  { path, report }: Place,
  suggestion?: string,
): undefined {
  report.problem(path, `${typeName(value)} instead of ${wanted}`, { suggestion });
}

/** Says that a text is not in its form; `reason` continues "`<text>` is invalid: …". */
export function refuseText(text: string, reason: string, { path, report }: Place): void {
  report.problem(path, `${quote(text)} is invalid: ${reason}`, { reason });
}

/** A text of the operator's in a message: quoted, control characters escaped, never endless. */
export function quote(text: string): string {
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return JSON.stringify(shown);
}

/** In characters; about one line of a terminal. */
const MAX_QUOTED = 80;

/** Whether a value of a document is a table. */
export function isTable(value: Raw): value is Record<string, Raw> {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}

function typeName(value: Raw): string {
  if (typeof value === "string") return "a string";
  if (typeof value === "bigint") return "an integer";
  if (typeof value === "number") return "a float";
  if (typeof value === "boolean") return "a boolean";
  if (Array.isArray(value)) return "an array";
  return isTable(value) ? "a table" : "a date or time";
}
