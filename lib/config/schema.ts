import { TomlDate, type TomlValue } from "smol-toml";
import { formatKey, type KeyPath } from "./key_path.ts";
import { Report } from "./problem.ts";
import { suggest } from "./suggest.ts";

/** A value of the file; integers are `bigint`, so that `1.0` is not one. */
export type Raw = TomlValue;

/** Where a value sits, and where to say what is wrong with it. */
export interface Place {
  readonly path: KeyPath;
  readonly report: Report;
  /** The titles of the tables that have a key, for keys in the wrong table. */
  readonly homes?: ReadonlyMap<string, readonly string[]>;
}

/** A kind of value: how to read it and how to describe it. */
export interface Kind<T> {
  /** For `docs/config.md`: what to write, with the bounds. */
  readonly doc: string;
  /** Stands in for a refused value, so that every other check still runs. */
  readonly empty: T;
  /** The value; what is wrong with it goes to the report. */
  readonly read: (value: Raw, place: Place) => T;
  /** As it is written in TOML. */
  readonly show: (value: T) => string;
  /** Present for tables. */
  readonly table?: Table;
}

/** A kind that has settings. */
export type TableKind<T> = Kind<T> & { readonly table: Table };

/** What `docs/config.md` and the hints on unknown keys need to know of a table. */
export interface Table {
  /** `[[name]]` rather than `[name]`. */
  readonly repeated: boolean;
  // deno-lint-ignore no-explicit-any -- a setting of some type; its reader and its kind agree on it
  readonly settings: readonly Setting<any>[];
}

/** A setting that always has a value. */
export type Mandatory<T> =
  & { readonly key: string; readonly kind: Kind<T>; readonly doc: string }
  & (
    | { readonly required: true }
    | { readonly default: T }
    /** A table that is read as an empty one when absent. */
    | { readonly section: true }
  );

/** A setting that may be absent. */
export interface Optional<T> {
  readonly key: string;
  readonly kind: Kind<T>;
  readonly doc: string;
  readonly optional: true;
}

export type Setting<T> = Mandatory<T> | Optional<T>;

/** One setting for each property of `T`; those that may be absent are the optional ones. */
export type Settings<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Optional<Exclude<T[K], undefined>>
    : Mandatory<T[K]>;
};

/** `[name]`: a table with exactly these settings. */
export function table<T extends object>(settings: Settings<T>): TableKind<T> {
  // deno-lint-ignore no-explicit-any -- see Table
  const entries: [string, Setting<any>][] = Object.entries(settings);
  const known = entries.map(([, setting]) => setting.key);
  const read = (value: Raw, place: Place): T => {
    const given = isTable(value) ? value : {};
    if (given !== value) refuseType(value, "a table", place);
    for (const key of Object.keys(given)) {
      if (!known.includes(key)) refuseKey(key, known, place);
    }
    const result: Record<string, unknown> = {};
    for (const [name, setting] of entries) {
      const found = readSetting(setting, given, place);
      if (found !== undefined) result[name] = found;
    }
    // `Settings<T>` ties every property of T to a kind that reads its type.
    return result as T;
  };
  return {
    doc: "table",
    get empty() {
      return read({}, { path: [], report: new Report(new Map()) });
    },
    read,
    show: () => "",
    table: { repeated: false, settings: entries.map(([, setting]) => setting) },
  };
}

/** `[[name]]`: any number of tables. */
export function tables<T extends object>(settings: Settings<T>): TableKind<readonly T[]> {
  const element = table(settings);
  return {
    doc: "tables",
    empty: [],
    read: (value, place) => {
      if (!Array.isArray(value)) return refuseType(value, "an array of tables", place) ?? [];
      return value.map((entry, i) => element.read(entry, { ...place, path: [...place.path, i] }));
    },
    show: () => "[]",
    table: { repeated: true, settings: element.table.settings },
  };
}

/** Says that a value is of the wrong type. */
export function refuseType(
  value: Raw,
  wanted: string,
  { path, report }: Place,
  suggestion?: string,
): undefined {
  report.problem(path, `${typeName(value)} instead of ${wanted}`, suggestion);
}

/** A text of the operator's in a message: quoted, control characters escaped, never endless. */
export function quote(text: string): string {
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return JSON.stringify(shown);
}

/** In characters; about one line of a terminal. */
const MAX_QUOTED = 80;

function readSetting<T>(
  setting: Setting<T>,
  given: Record<string, Raw>,
  parent: Place,
): T | undefined {
  const place = { ...parent, path: [...parent.path, setting.key] };
  const value = Object.hasOwn(given, setting.key) ? given[setting.key] : undefined;
  if (value !== undefined) return setting.kind.read(value, place);
  if ("default" in setting) return setting.default;
  if ("section" in setting) return setting.kind.read({}, place);
  if ("optional" in setting) return undefined;
  place.report.problem(place.path, "is missing");
  return setting.kind.empty;
}

function refuseKey(key: string, known: readonly string[], { path, report, homes }: Place): void {
  const home = homes?.get(key);
  const meant = home === undefined ? suggest(key, known) : undefined;
  const message = home === undefined ? "unknown key" : `belongs in ${home.join(" or ")}`;
  report.problem([...path, key], message, meant && formatKey(meant));
}

/** A table inside another one, with its title as it is written in TOML. */
export interface TitledTable {
  readonly title: string;
  readonly doc: string;
  readonly table: Table;
}

/** Every table below one, outer ones first. */
export function* tablesBelow(root: Table, path: readonly string[] = []): Generator<TitledTable> {
  for (const { key, kind, doc } of root.settings) {
    if (kind.table === undefined) continue;
    const name = [...path, key];
    const title = kind.table.repeated ? `[[${name.join(".")}]]` : `[${name.join(".")}]`;
    yield { title, doc, table: kind.table };
    yield* tablesBelow(kind.table, name);
  }
}

/** Which tables have which keys, for {@link Place.homes}. */
export function homesOf(root: Table): ReadonlyMap<string, readonly string[]> {
  const homes = new Map<string, string[]>();
  for (const { title, table } of tablesBelow(root)) {
    for (const { key, kind } of table.settings) {
      if (kind.table === undefined) homes.set(key, [...homes.get(key) ?? [], title]);
    }
  }
  return homes;
}

function isTable(value: Raw): value is Record<string, Raw> {
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
