import type { Result } from "../addr/mod.ts";
import { isDataType, nameFromText, nameToText, typeFromText, typeToText } from "../dns/mod.ts";
import { field, integer, list, parsed, prose, record, type ValueOf } from "../schema/mod.ts";

/** What becomes of a set of records at once, at most. */
export const MAX_DNS_SETS = 1000;
/** More values of one set do not go into an answer. */
const MAX_VALUES = 4096;
/** The longest data with each octet escaped. */
const MAX_VALUE = 4 * 65_535;

/** The records of a name and type at the name server beside the proxy, as they are to be. */
export const DNS_SET = record({
  name: field("name", parsed("a name in full", nameInFull), {
    required: true,
    doc: "In full. Its zone is the longest of `mcns.zones` that it is in.",
    title: "NAME",
  }),
  type: field("type", parsed("a type of records", recordType), {
    required: true,
    doc: "Such as `A` or `TXT`. Not `SOA`.",
    title: "TYPE",
  }),
  ttl: field("ttl", integer({ min: 0, max: 0x7fff_ffff }), {
    optional: true,
    doc: "Seconds. Absent: that of the set there is, or an hour.",
  }),
  values: field("values", list(prose({ maxLength: MAX_VALUE }), { maxLength: MAX_VALUES }), {
    default: [],
    doc: "Each as a zone file has it. Empty: the set goes.",
    title: "VALUES",
  }),
}, { identity: ["name", "type"] });

/** One of them. */
export type DnsSet = ValueOf<typeof DNS_SET>;

/** In lower case, without the last dot. */
function nameInFull(text: string): Result<string> {
  const name = nameFromText(text);
  if (!name.ok) return name;
  if (name.value.length === 1) return { ok: false, reason: "it is the root" };
  return { ok: true, value: nameToText(name.value).toLowerCase().replace(/\.$/, "") };
}

function recordType(text: string): Result<string> {
  const type = typeFromText(text);
  if (!type.ok) return type;
  if (!isDataType(type.value)) return { ok: false, reason: "not a type of records in a zone" };
  return { ok: true, value: typeToText(type.value) };
}
