import type { AnyField, Kind, RecordShape } from "./kind.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatSize, parseSize } from "./size.ts";

/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | {
  readonly [key: string]: Json;
};

/** Whether two values in memory are the same. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]));
}

/** Whether JSON is for people, who are not shown secrets, or to be read again. */
export interface JsonOptions {
  /** Default: secrets are there. */
  readonly hideSecrets?: boolean;
}

/** A value as JSON, under the names of the protocol. */
// deno-lint-ignore no-explicit-any -- see AnyField
export function toJson(kind: Kind<any>, value: any, options: JsonOptions = {}): Json {
  switch (kind.form) {
    case "duration":
      return formatDuration(value);
    case "size":
      return formatSize(value);
    case "time":
      return new Date(value).toISOString();
    case "list":
      return [...value];
    case "record":
      return recordToJson(shapeOf(kind), value, options);
    case "records":
      return value.map((it: object) => recordToJson(shapeOf(kind), it, options));
    default:
      return value;
  }
}

/** {@link toJson} of a record, but for the fields that are kept apart. */
export function recordToJson(
  shape: RecordShape,
  value: object,
  options: JsonOptions = {},
): { [key: string]: Json } {
  const values = value as Readonly<Record<string, unknown>>;
  const result: { [key: string]: Json } = {};
  for (const [property, field] of shape.fields) {
    const found = values[property];
    if (found === undefined || field.apart) continue;
    const isHidden = options.hideSecrets === true && field.secret === true;
    result[field.key] = isHidden ? HIDDEN : toJson(field.kind, found, options);
  }
  return result;
}

/** What is shown of a secret. */
const HIDDEN = "***";

/**
 * The value that {@link toJson} wrote, or nothing where it wrote something else. What the texts in
 * it say is for the kind to check.
 */
// deno-lint-ignore no-explicit-any -- see AnyField
export function fromJson(kind: Kind<any>, json: unknown): unknown {
  switch (kind.form) {
    case "boolean":
      return typeof json === "boolean" ? json : undefined;
    case "integer":
      return Number.isSafeInteger(json) ? json : undefined;
    case "duration":
      return typeof json === "string" ? parseDuration(json) : undefined;
    case "size":
      return typeof json === "string" ? parseSize(json) : undefined;
    case "time": {
      const ms = typeof json === "string" ? Date.parse(json) : NaN;
      return Number.isNaN(ms) ? undefined : ms;
    }
    case "text":
      return typeof json === "string" ? json : undefined;
    case "list":
      return Array.isArray(json) && json.every((it) => typeof it === "string") ? json : undefined;
    case "record":
      return recordFromJson(shapeOf(kind), json);
    case "records": {
      if (!Array.isArray(json)) return undefined;
      const found = json.map((it) => recordFromJson(shapeOf(kind), it));
      return found.includes(undefined) ? undefined : found;
    }
  }
}

function recordFromJson(shape: RecordShape, json: unknown): object | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const given = json as Readonly<Record<string, unknown>>;
  const known = new Map([...shape.fields].map(([property, field]) => [field.key, property]));
  if (Object.keys(given).some((key) => !known.has(key))) return undefined;
  const result: Record<string, unknown> = {};
  for (const [key, property] of known) {
    if (!Object.hasOwn(given, key)) continue;
    const value = fromJson((shape.fields.get(property) as AnyField).kind, given[key]);
    if (value === undefined) return undefined;
    result[property] = value;
  }
  return result;
}

/** As it is written in TOML: dates stay dates, for whoever writes the text. */
// deno-lint-ignore no-explicit-any -- see AnyField
export function toToml(kind: Kind<any>, value: any): unknown {
  switch (kind.form) {
    case "time":
      return new Date(value);
    case "record":
      return recordToToml(shapeOf(kind), value);
    case "records":
      return value.map((it: object) => recordToToml(shapeOf(kind), it));
    default:
      return toJson(kind, value);
  }
}

/** {@link toToml} of a record. What has its default is left out. */
export function recordToToml(shape: RecordShape, value: object): Record<string, unknown> {
  const values = value as Readonly<Record<string, unknown>>;
  const result: Record<string, unknown> = {};
  for (const [property, field] of shape.fields) {
    const found = values[property];
    if (found === undefined || ("default" in field && same(found, field.default))) continue;
    result[field.key] = toToml(field.kind, found);
  }
  return result;
}

// deno-lint-ignore no-explicit-any -- see AnyField
function shapeOf({ shape, form }: Kind<any>): RecordShape {
  if (shape === undefined) throw new TypeError(`a kind of the form ${form} has no fields`);
  return shape;
}
