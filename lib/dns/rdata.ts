import { Cursor, joined } from "../wire/mod.ts";
import { MAX_MESSAGE_BYTES } from "./message.ts";
import { readName } from "./name.ts";
import { layoutOf, type RdataPart } from "./rdata_layout.ts";
import { areServiceParams } from "./service_params.ts";
import { areTypeBits } from "./type_bits.ts";

/**
 * The data of a record without compression, as its type says that it is on the wire. Two records of a
 * name are the same if these octets are, but for the case of names in them.
 */
export type Rdata = Uint8Array;

/** Where in a message the data of a record is. */
export interface RdataPlace {
  readonly start: number;
  readonly end: number;
}

const DIGITS_AND_LETTERS = /^[0-9A-Za-z]+$/;

/**
 * Reads the data of a record as its type says: each part whole, names without compression, nothing
 * after the last part. Data of an unknown type is taken as it is (RFC 3597 §3).
 *
 * @returns nothing if it is not valid.
 */
export function readRdata(
  message: Uint8Array,
  type: number,
  { start, end }: RdataPlace,
): Rdata | undefined {
  const layout = layoutOf(type);
  if (end > message.length) return undefined;
  if (layout === undefined) return message.slice(start, end);
  const parts: Uint8Array[] = [];
  let at = start;
  for (const part of layout) {
    const read = readPart(message, part, { start: at, end });
    if (read === undefined || read.next > end) return undefined;
    parts.push(read.octets);
    at = read.next;
  }
  if (at !== end) return undefined;
  const data = joined(parts);
  return data.length <= MAX_MESSAGE_BYTES ? data : undefined;
}

/** Whether octets are data of a type as {@link readRdata} would give it: names are not compressed. */
export function isRdata(type: number, octets: Uint8Array): boolean {
  const read = readRdata(octets, type, { start: 0, end: octets.length });
  return read !== undefined && read.length === octets.length &&
    read.every((octet, i) => octet === octets[i]);
}

/** One part of valid data, and where the next one begins. */
export interface PlacedPart {
  readonly part: RdataPart;
  readonly start: number;
  readonly end: number;
}

/** Where the parts of valid data are. */
export function partsOf(type: number, data: Rdata): readonly PlacedPart[] {
  const places: PlacedPart[] = [];
  let start = 0;
  for (const part of layoutOf(type) ?? []) {
    const end = readPart(data, part, { start, end: data.length })?.next ?? data.length;
    places.push({ part, start, end });
    start = end;
  }
  return places;
}

interface ReadPart {
  readonly octets: Uint8Array;
  readonly next: number;
}

const SIZES: Partial<Record<RdataPart, number>> = {
  u8: 1,
  u16: 2,
  type: 2,
  u32: 4,
  ttl: 4,
  time: 4,
  ipv4: 4,
  ipv6: 16,
};

function readPart(message: Uint8Array, part: RdataPart, place: RdataPlace): ReadPart | undefined {
  const { start, end } = place;
  if (part === "name") {
    const read = readName(message, start);
    return read && { octets: read.name, next: read.next };
  }
  if (part === "string" || part === "tag") return readString(message, part, place);
  const size = SIZES[part] ?? end - start;
  if (start + size > end) return undefined;
  const octets = message.subarray(start, start + size);
  return isWhole(octets, part) ? { octets, next: start + size } : undefined;
}

function readString(
  message: Uint8Array,
  part: RdataPart,
  { start, end }: RdataPlace,
): ReadPart | undefined {
  const next = start + 1 + (message[start] ?? 0);
  if (start >= end || next > end) return undefined;
  const octets = message.subarray(start, next);
  const text = String.fromCharCode(...octets.subarray(1));
  return part === "string" || DIGITS_AND_LETTERS.test(text) ? { octets, next } : undefined;
}

/** Of a part that has its own size, or goes on to the end. */
function isWhole(octets: Uint8Array, part: RdataPart): boolean {
  switch (part) {
    case "strings":
      return areStrings(octets);
    case "types":
      return areTypeBits(octets);
    case "params":
      return areServiceParams(octets);
    case "hex":
    case "base64":
      return octets.length > 0; // A digest, a key or a signature of nothing has no text either.
    default:
      return true;
  }
}

function areStrings(octets: Uint8Array): boolean {
  const cursor = new Cursor(octets);
  while (cursor.remaining > 0) {
    if (cursor.vector8() === undefined) return false;
  }
  return octets.length > 0;
}
