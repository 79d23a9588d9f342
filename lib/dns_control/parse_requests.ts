import {
  isDataType,
  type Name,
  nameFromText,
  nameFromZoneText,
  nameToText,
  octetString,
  type Rdata,
  rdataFromValue,
  rdataToText,
  txtOf,
  TYPE,
  typeFromText,
  typeToText,
} from "../dns/mod.ts";
import type { StoredRecord } from "../dns_store/mod.ts";
import { type FieldProblem, invalid } from "../queue/mod.ts";
import { LookUp } from "../zones/mod.ts";

/** A record as callers write it; names are relative to the zone unless they end in a dot. */
export interface RecordInput {
  /** `@` is the zone itself. */
  readonly name: string;
  readonly type: string;
  /**
   * As a zone file has it. A TXT value that does not begin with a quotation mark is one text as it
   * stands.
   */
  readonly value: string;
  /** Seconds; absent: that of the set that it comes to, or {@link DEFAULT_TTL}. */
  readonly ttl?: number | undefined;
}

/** A record as callers read it. */
export interface RecordView {
  readonly id: number;
  /** In full, with its last dot. */
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly ttl: number;
}

/** An hour: what operators of most zones write. */
export const DEFAULT_TTL = 3600;
/** RFC 2181 §8. */
const MAX_TTL = 0x7fff_ffff;
/** Characters of a name with every octet escaped, and of a value that fills a record. */
const MAX_NAME_TEXT = 1024;
const MAX_VALUE_TEXT = 4 * 65_535;

const ENCODER = new TextEncoder();

/** A record that was read, but for a TTL that nobody gave. */
export interface ReadRecord {
  readonly name: Name;
  readonly type: number;
  readonly data: Rdata;
  readonly ttl: number | undefined;
}

/**
 * The name of a zone of a request.
 *
 * @throws {RefusedError} `invalid_argument`
 */
export function readZoneName(text: string, field = "zone"): Name {
  if (text.length > MAX_NAME_TEXT) throw invalid(field, "too long for a name");
  const name = nameFromText(octetText(text));
  if (!name.ok) throw invalid(field, name.reason);
  if (name.value.length === 1) throw invalid(field, "the root is not served here");
  return name.value;
}

/** The name of a record of a zone; problems are noted under `field`. */
export function readOwner(
  text: string,
  { origin, field, problems }: Reading,
): Name | undefined {
  if (text.length > MAX_NAME_TEXT) return note(problems, field, "too long for a name");
  const name = nameFromZoneText(octetText(text), origin);
  if (!name.ok) return note(problems, field, name.reason);
  const lookUp = new LookUp(octetString(name.value));
  const { key } = new LookUp(octetString(origin));
  if (lookUp.isBelow(key)) return name.value;
  return note(problems, field, `not in the zone ${nameToText(origin)}`);
}

/** A type that records can have. */
export function readType(text: string, { field, problems }: Pick<Reading, "field" | "problems">) {
  const type = typeFromText(text);
  if (!type.ok) return note(problems, field, type.reason);
  if (!isDataType(type.value)) return note(problems, field, "not a type of records in a zone");
  return type.value;
}

/** Where a part of a request comes from. */
export interface Reading {
  readonly origin: Name;
  readonly field: string;
  readonly problems: FieldProblem[];
}

/**
 * A record of a request; undefined when there are problems, which are noted.
 *
 * @param prefix in front of the names of fields, such as `records[2].`.
 */
export function readRecord(
  input: RecordInput,
  { origin, problems, prefix = "" }: {
    readonly origin: Name;
    readonly problems: FieldProblem[];
    readonly prefix?: string;
  },
): ReadRecord | undefined {
  const name = readOwner(input.name, { origin, problems, field: `${prefix}name` });
  const type = readType(input.type, { problems, field: `${prefix}type` });
  const { ttl } = input;
  readTtl(ttl, { problems, field: `${prefix}ttl` });
  const data = type === undefined
    ? undefined
    : readValue(type, input.value, { origin, problems, field: `${prefix}value` });
  if (name === undefined || type === undefined || data === undefined) return undefined;
  return { name, type, data, ttl };
}

/** Notes a TTL out of bounds. */
export function readTtl(
  ttl: number | undefined,
  { field, problems }: Pick<Reading, "field" | "problems">,
): void {
  if (ttl === undefined || (Number.isInteger(ttl) && ttl >= 0 && ttl <= MAX_TTL)) return;
  note(problems, field, `not a number of seconds from 0 to ${MAX_TTL}`);
}

/** The data that a value says. */
export function readValue(
  type: number,
  value: string,
  { origin, field, problems }: Reading,
): Rdata | undefined {
  if (value.length > MAX_VALUE_TEXT) return note(problems, field, "too long for a record");
  const isPlainText = type === TYPE.TXT && !/^\s*"/.test(value) && !value.startsWith("\\#");
  const data = isPlainText
    ? txtOf(ENCODER.encode(value))
    : rdataFromValue(type, octetText(value), { origin });
  return data.ok ? data.value : note(problems, field, data.reason);
}

/** A record for callers. */
export function viewOf({ id, name, type, ttl, data }: StoredRecord): RecordView {
  const value = rdataToText(type, data);
  return { id, name: nameToText(name), type: typeToText(type), value, ttl };
}

/** One character for each octet of UTF-8, as zone files are read. */
export function octetText(text: string): string {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(text) ? text : octetString(ENCODER.encode(text));
}

function note(problems: FieldProblem[], field: string, message: string): undefined {
  problems.push({ field, message });
}
