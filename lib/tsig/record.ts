import {
  foldCase,
  type Message,
  type Name,
  octetsOf,
  octetString,
  readName,
  TYPE,
} from "../dns/mod.ts";
import { concat, Cursor, u16, u32 } from "../wire/mod.ts";

const HEADER_OCTETS = 12;
const ADDITIONAL_COUNT_AT = 10;
export const CLASS_ANY = 255;
const TIME_OCTETS = 6;
/** Clocks may differ by so many seconds (RFC 8945 §10). */
export const FUDGE_SECONDS = 300;

/** What is wrong with a signature (RFC 8945 §3). */
export const TSIG_ERROR = Object.freeze({ badSig: 16, badKey: 17, badTime: 18, badTrunc: 22 });

/** A signature as it is in a message. */
export interface TsigRecord {
  /** Of the key, in lower case. */
  readonly keyName: Name;
  /** In lower case. */
  readonly algorithmName: Name;
  /** Seconds since 1970. */
  readonly time: number;
  readonly fudge: number;
  readonly mac: Uint8Array<ArrayBuffer>;
  readonly originalId: number;
  readonly error: number;
  readonly other: Uint8Array<ArrayBuffer>;
}

/** A message's signature and the octets that it signs; or that it has none, or one that is not valid. */
export type FoundTsig =
  | {
    readonly kind: "signed";
    readonly record: TsigRecord;
    /** The message as it was before it was signed. */
    readonly unsigned: Uint8Array<ArrayBuffer>;
  }
  | { readonly kind: "unsigned" }
  | { readonly kind: "malformed" };

/** Finds the signature of a message: there is one at most, and nothing is behind it (RFC 8945 §5.1). */
export function findTsig(message: Message, octets: Uint8Array): FoundTsig {
  const all = [...message.answers, ...message.authorities, ...message.additionals];
  const count = all.filter(({ type }) => type === TYPE.TSIG).length;
  if (count === 0) return { kind: "unsigned" };
  const last = message.additionals.at(-1);
  if (count > 1 || last?.type !== TYPE.TSIG || last.class !== CLASS_ANY || last.ttl !== 0) {
    return { kind: "malformed" };
  }
  const data = readData(octets, last.data);
  if (data === undefined) return { kind: "malformed" };
  const start = all.at(-2)?.data.end ?? endOfQuestions(octets, message.questions.length);
  const unsigned = octets.slice(0, start);
  unsigned.set(u16(message.additionals.length - 1), ADDITIONAL_COUNT_AT);
  // Whoever passed it on may have given it another id (RFC 8945 §5.3).
  unsigned.set(u16(data.originalId), 0);
  return { kind: "signed", record: { ...data, keyName: lower(last.name) }, unsigned };
}

function readData(
  octets: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
): Omit<TsigRecord, "keyName"> | undefined {
  const algorithm = readName(octets, start);
  if (algorithm === undefined || algorithm.next > end) return undefined;
  const cursor = new Cursor(octets, algorithm.next, end);
  const timeHigh = cursor.u16();
  const timeLow = cursor.u32();
  const fudge = cursor.u16();
  const mac = cursor.take(cursor.u16() ?? -1);
  const originalId = cursor.u16();
  const error = cursor.u16();
  const other = cursor.take(cursor.u16() ?? -1);
  if (timeHigh === undefined || timeLow === undefined || fudge === undefined) return undefined;
  if (mac === undefined || originalId === undefined || error === undefined) return undefined;
  if (other === undefined || cursor.remaining > 0) return undefined;
  return {
    ...{ algorithmName: lower(algorithm.name), time: timeHigh * 2 ** 32 + timeLow, fudge },
    ...{ mac: mac.slice(), originalId, error, other: other.slice() },
  };
}

function endOfQuestions(octets: Uint8Array, count: number): number {
  let at = HEADER_OCTETS;
  for (let i = 0; i < count; i++) at = (readName(octets, at)?.next ?? octets.length) + 4;
  return at;
}

/** A message with a signature behind it. */
export function appendTsig(unsigned: Uint8Array, record: TsigRecord): Uint8Array<ArrayBuffer> {
  const { keyName, algorithmName, time, fudge, mac, originalId, error, other } = record;
  const data = concat(
    ...[algorithmName, u48(time), u16(fudge), u16(mac.length), mac],
    ...[u16(originalId), u16(error), u16(other.length), other],
  );
  const head = [keyName, u16(TYPE.TSIG), u16(CLASS_ANY), u32(0), u16(data.length)];
  const signed = concat(unsigned, ...head, data);
  const view = new DataView(signed.buffer);
  view.setUint16(ADDITIONAL_COUNT_AT, view.getUint16(ADDITIONAL_COUNT_AT) + 1);
  return signed;
}

/** RFC 8945 §4.3.3: what is signed beside the message. */
export function variablesOf(record: Omit<TsigRecord, "mac" | "originalId">): Uint8Array {
  const { keyName, algorithmName, time, fudge, error, other } = record;
  return concat(
    ...[keyName, u16(CLASS_ANY), u32(0), algorithmName, u48(time), u16(fudge)],
    ...[u16(error), u16(other.length), other],
  );
}

/** RFC 8945 §5.3.1: what is signed beside messages after the first. */
export function timersOf({ time, fudge }: Pick<TsigRecord, "time" | "fudge">): Uint8Array {
  return concat(u48(time), u16(fudge));
}

/** Seconds as RFC 8945 §5.2.3 sends them. */
export function u48(seconds: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(TIME_OCTETS);
  const view = new DataView(octets.buffer);
  view.setUint16(0, Math.floor(seconds / 2 ** 32));
  view.setUint32(2, seconds % 2 ** 32);
  return octets;
}

function lower(name: Name): Name {
  return octetsOf(foldCase(octetString(name)));
}
