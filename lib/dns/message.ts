import { Cursor } from "../wire/mod.ts";
import { failure, type Result, success } from "../addr/mod.ts";
import { type Name, readName } from "./name.ts";
import { TYPE } from "./record_types.ts";

const HEADER_BYTES = 12;
/** RFC 6891 §6.1.2: without options. */
const OPT_BYTES = 11;
/** RFC 1035 §4.2.2: what a length of 16 bits can say. */
export const MAX_MESSAGE_BYTES = 65_535;
/** More records than this in one message are more than anybody needs to know. */
const MAX_RECORDS = 4096;

/** RFC 1035 §3.2.4: the Internet. */
export const CLASS_IN = 1;

/** How a question was answered (RFC 1035 §4.1.1, RFC 2136 §2.2). */
export const ResponseCode = Object.freeze({
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  yxDomain: 6,
});

/** RFC 1035 §4.1.1. */
export interface Header {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** The lower four bits; EDNS has more of them. */
  readonly responseCode: number;
}

/** RFC 1035 §4.1.2. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** RFC 1035 §4.1.3; the data is decoded by whoever knows the type. */
export interface ResourceRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  /** Where the data is in the message: names in it may point to what is before. */
  readonly data: { readonly start: number; readonly end: number };
}

/** A whole message. */
export interface Message {
  readonly header: Header;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** Parses a message as a whole; octets after it make it invalid, as everything else does. */
export function parseMessage(bytes: Uint8Array): Result<Message> {
  const cursor = new Cursor(bytes);
  const id = cursor.u16();
  const flags = cursor.u16();
  const counts = [cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16()];
  if (id === undefined || flags === undefined || counts.includes(undefined)) {
    return failure("the header is cut off");
  }
  const [questionCount = 0, ...recordCounts] = counts as number[];
  if (questionCount + recordCounts.reduce((sum, count) => sum + count, 0) > MAX_RECORDS) {
    return failure(`more than ${MAX_RECORDS} records`);
  }
  let at = HEADER_BYTES;
  const questions: Question[] = [];
  for (let i = 0; i < questionCount; i++) {
    const found = readQuestion(bytes, at);
    if (found === undefined) return failure("a question is not valid");
    questions.push(found.question);
    at = found.next;
  }
  const sections: ResourceRecord[][] = [];
  for (const count of recordCounts) {
    const records: ResourceRecord[] = [];
    for (let i = 0; i < count; i++) {
      const record = readRecord(bytes, at);
      if (record === undefined) return failure("a record is not valid");
      records.push(record);
      at = record.data.end;
    }
    sections.push(records);
  }
  if (at !== bytes.length) return failure("there are octets after the message");
  const [answers = [], authorities = [], additionals = []] = sections;
  return success({ header: readHeader(id, flags), questions, answers, authorities, additionals });
}

/** What {@link encodeQuery} asks. */
export interface Query {
  readonly id: number;
  readonly name: Name;
  readonly type: number;
  /** Octets that we take over UDP (RFC 6891 §6.2.3); absent: a question without EDNS. */
  readonly udpPayloadBytes?: number;
  /** Bits of the header beside RD. */
  readonly flags?: number;
  /** RFC 3225; without EDNS there is no place for it. */
  readonly isDnssecOk?: boolean;
}

/** A question to a recursive server. */
export function encodeQuery(
  { id, name, type, udpPayloadBytes, flags = 0, isDnssecOk = false }: Query,
): Uint8Array {
  const edns = udpPayloadBytes !== undefined;
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 4 + (edns ? OPT_BYTES : 0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, 0x0100 | flags); // RD
  view.setUint16(4, 1);
  view.setUint16(10, edns ? 1 : 0);
  bytes.set(name, HEADER_BYTES);
  let at = HEADER_BYTES + name.length;
  view.setUint16(at, type);
  view.setUint16(at + 2, CLASS_IN);
  if (!edns) return bytes;
  at += 4;
  // OPT: the root's name, its type, and the size in the place of the class.
  view.setUint16(at + 1, TYPE.OPT);
  view.setUint16(at + 3, udpPayloadBytes);
  view.setUint16(at + 7, isDnssecOk ? 0x8000 : 0);
  return bytes;
}

function readHeader(id: number, flags: number): Header {
  return {
    id,
    isResponse: (flags & 0x8000) !== 0,
    opcode: flags >> 11 & 15,
    isAuthoritative: (flags & 0x0400) !== 0,
    isTruncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    responseCode: flags & 15,
  };
}

function readQuestion(
  bytes: Uint8Array,
  at: number,
): { question: Question; next: number } | undefined {
  const name = readName(bytes, at);
  if (name === undefined) return undefined;
  const cursor = new Cursor(bytes, name.next);
  const type = cursor.u16();
  const kind = cursor.u16();
  if (type === undefined || kind === undefined) return undefined;
  return { question: { name: name.name, type, class: kind }, next: cursor.position };
}

function readRecord(bytes: Uint8Array, at: number): ResourceRecord | undefined {
  const name = readName(bytes, at);
  if (name === undefined) return undefined;
  const cursor = new Cursor(bytes, name.next);
  const type = cursor.u16();
  const kind = cursor.u16();
  const ttl = cursor.u32();
  const length = cursor.u16();
  if (type === undefined || kind === undefined || ttl === undefined || length === undefined) {
    return undefined;
  }
  const start = cursor.position;
  if (!cursor.skip(length)) return undefined;
  const data = { start, end: start + length };
  // RFC 2181 §8: a TTL with its upper bit set is 0; OPT has other things in its place.
  const isTooLong = ttl > 0x7fffffff && type !== TYPE.OPT;
  return { name: name.name, type, class: kind, ttl: isTooLong ? 0 : ttl, data };
}
