import type { AnyField, Kind, RecordShape } from "./kind.ts";
import { fromJson, type Json, recordToJson, toJson } from "./plain.ts";

/**
 * A record as one word of a command line: `10.0.0.1:443,weight=2,backup`. What tells one from
 * another may stand first without its name, a boolean without a value; a text that begins with `{`
 * is JSON, for values that hold commas.
 *
 * @throws {RangeError} saying what is wrong.
 */
export function recordOfText(shape: RecordShape, text: string): Record<string, unknown> {
  const json = text.startsWith("{") ? parseJson(text) : wordsToJson(shape, text);
  const kind = { form: "record", shape } as Kind<Record<string, unknown>>;
  const found = fromJson(kind, json);
  if (found === undefined) throw new RangeError(`${text} has other keys or values than it may`);
  return found as Record<string, unknown>;
}

function wordsToJson({ fields, identity }: RecordShape, text: string): Json {
  const byKey = new Map([...fields.values()].map((field) => [field.key, field]));
  const name = fields.get(identity[0] ?? "");
  const json: { [key: string]: Json } = {};
  for (const [i, word] of text.split(",").entries()) {
    const [key, value] = splitOnce(word);
    const field = byKey.get(key);
    if (field !== undefined) json[key] = valueOf(field, value);
    else if (i === 0 && name !== undefined) json[name.key] = word;
    else throw new RangeError(`there is no ${key}; there are ${[...byKey.keys()].join(", ")}`);
  }
  return json;
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function valueOf({ key, kind }: AnyField, text: string | undefined): Json {
  if (kind.form === "boolean") {
    if (text === undefined || text === "true") return true;
    if (text === "false") return false;
    throw new RangeError(`${key} is true or false`);
  }
  if (text === undefined) throw new RangeError(`${key} has no value`);
  if (kind.form !== "integer") return text;
  if (!/^[0-9]{1,9}$/.test(text)) throw new RangeError(`${key} is no whole number`);
  return Number(text);
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RangeError("it begins with { and is no JSON", { cause });
  }
}

/** Whether a value can stand between commas. */
function isWord(value: Json): boolean {
  return typeof value === "string" ? !/[,{}\n]/.test(value) : typeof value !== "object";
}

/** A record as {@link recordOfText} reads it: as JSON where its values do not fit into words. */
export function textOfRecord(shape: RecordShape, value: object): string {
  const { fields, identity } = shape;
  const values = value as Readonly<Record<string, unknown>>;
  const name = identity[0];
  const json = recordToJson(shape, value);
  if (!Object.values(json).every(isWord)) return JSON.stringify(json);
  return [...fields].flatMap(([property, field]) => {
    const found = values[property];
    if (found === undefined) return [];
    const json = toJson(field.kind, found);
    if (property === name) return [String(json)];
    if (json === false) return [];
    return [json === true ? field.key : `${field.key}=${json}`];
  }).join(",");
}
