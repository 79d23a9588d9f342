import { formatKey } from "./key_path.ts";
import {
  type AnyField,
  type Field,
  isTable,
  type Kind,
  type Mandatory,
  type Optional,
  type Place,
  type Raw,
  type RecordShape,
  refuseType,
} from "./kind.ts";
import { same } from "./plain.ts";
import { Report } from "./problem.ts";
import { suggest } from "./suggest.ts";

/** A kind that has fields. */
export type RecordKind<T> = Kind<T> & {
  readonly shape: RecordShape;
  /** {@link Kind.check} that can be interrupted. */
  readonly checkInSteps: (value: T, place: Place) => Generator<undefined, T>;
};

/** Fields by the names of their properties in memory. */
type Fields = Readonly<Record<string, AnyField>>;

/** The type of the values that a kind describes. */
export type ValueOf<K> = K extends Kind<infer T> ? T : never;

/** The type of the values that fields describe. */
type Described<F extends Fields> = Flat<
  & {
    readonly [K in keyof F as F[K] extends { optional: true } ? never : K]: ValueOf<F[K]["kind"]>;
  }
  & {
    readonly [K in keyof F as F[K] extends { optional: true } ? K : never]?: ValueOf<F[K]["kind"]>;
  }
>;

type Flat<T> = { [K in keyof T]: T[K] };

/** One field for each property of `T`; those that may be absent are the optional ones. */
export type FieldsOf<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Optional<Exclude<T[K], undefined>>
    : Mandatory<T[K]>;
};

/** What a record says beside its fields. */
export interface RecordOptions<T> {
  /** The properties that tell one of several from another. */
  readonly identity?: readonly (keyof T & string)[];
  /** What takes several fields: says what is wrong with them; what it returns replaces fields. */
  readonly rule?: (value: T, place: Place) => Partial<T> | undefined;
}

/** A field of a record; the key is its one name everywhere. */
export function field<T, const O extends FieldOptions<T>>(
  key: string,
  kind: Kind<T>,
  options: O,
): O & { readonly key: string; readonly kind: Kind<T> } {
  return { ...options, key, kind };
}

type FieldOptions<T> = DistributiveOmit<Field<NoInfer<T>>, "key" | "kind">;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A record with exactly these fields, whose type is that of its values. */
export function record<const F extends Fields>(
  fields: F,
  options: RecordOptions<Described<F>> = {},
): RecordKind<Described<F>> {
  return recordOf<Described<F>>(Object.entries(fields), options);
}

/** {@link record} for a type that is written down elsewhere: `[name]`. */
export function table<T extends object>(fields: FieldsOf<T>): RecordKind<T> {
  return recordOf<T>(Object.entries(fields), {});
}

function recordOf<T extends object>(
  entries: readonly [property: string, field: AnyField][],
  { identity = [], rule }: RecordOptions<T>,
): RecordKind<T> {
  const known = entries.map(([, field]) => field.key);
  const byProperty = new Map(entries);
  const collect = (place: Place, value: (entry: [string, AnyField], at: Place) => unknown): T => {
    const result: Record<string, unknown> = {};
    for (const entry of entries) {
      const [property, field] = entry;
      const found = value(entry, { ...place, path: [...place.path, field.key] });
      if (found !== undefined && !meansAbsent(field, found)) result[property] = found;
    }
    const replaced = rule?.(result as T, place);
    if (replaced !== undefined) {
      for (const [property, value] of Object.entries(replaced)) {
        const field = byProperty.get(property);
        if (field !== undefined && meansAbsent(field, value)) delete result[property];
        else result[property] = value;
      }
    }
    // The fields tie every property of T to a kind that reads its type.
    return result as T;
  };
  const read = (value: Raw, place: Place): T => {
    const given = isTable(value) ? value : {};
    if (given !== value) refuseType(value, "a table", place);
    for (const key of Object.keys(given)) {
      if (!known.includes(key)) refuseKey(key, known, place);
    }
    return collect(place, ([, field], at) => {
      const value = Object.hasOwn(given, field.key) ? given[field.key] : undefined;
      return value === undefined ? fallback(field, at) : field.kind.read(value, at);
    });
  };
  const checkField = ([property, field]: [string, AnyField], given: T, at: Place): unknown => {
    const value = (given as Record<string, unknown>)[property];
    if (value === undefined) return fallback(field, at);
    // A default need not be something that could be given.
    const isDefault = "default" in field && same(value, field.default);
    return isDefault || meansAbsent(field, value) ? value : field.kind.check(value, at);
  };
  const check = (given: T, place: Place): T =>
    collect(place, (entry, at) => checkField(entry, given, at));
  const checkInSteps = function* (given: T, place: Place): Generator<undefined, T> {
    const long = new Map<string, unknown>();
    for (const [property, { key, kind }] of entries) {
      const value = (given as Record<string, unknown>)[property];
      if (value === undefined || kind.checkInSteps === undefined) continue;
      const at = { ...place, path: [...place.path, key] };
      long.set(property, yield* kind.checkInSteps(value, at));
    }
    return collect(place, (entry, at) => {
      const [property] = entry;
      return long.has(property) ? long.get(property) : checkField(entry, given, at);
    });
  };
  return {
    form: "record",
    doc: "table",
    get empty() {
      return read({}, { path: [], report: new Report() });
    },
    read,
    check,
    checkInSteps,
    show: () => "",
    shape: { repeated: false, fields: new Map(entries), identity },
  };
}

function fallback(field: AnyField, place: Place): unknown {
  if ("default" in field) return field.default;
  if ("section" in field) return field.kind.read({}, place);
  if ("optional" in field) return undefined;
  place.report.problem(place.path, "is missing");
  return field.kind.empty;
}

export function meansAbsent(field: AnyField, value: unknown): boolean {
  return "optional" in field && field.absent !== undefined && same(field.absent, value);
}

function refuseKey(
  key: string,
  known: readonly string[],
  { path, report, tablesByKey }: Place,
): void {
  const elsewhere = tablesByKey?.get(key);
  const meant = elsewhere === undefined ? suggest(key, known) : undefined;
  const message = elsewhere === undefined ? "unknown key" : `belongs in ${elsewhere.join(" or ")}`;
  report.problem([...path, key], message, { suggestion: meant && formatKey(meant) });
}
