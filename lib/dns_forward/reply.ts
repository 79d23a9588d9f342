import { type EdnsOption, encodeOpt, MAX_MESSAGE_BYTES, type MessageWriter } from "../dns/mod.ts";
import type { Facts, OwnedSet } from "./facts.ts";
import { type ClientQuery, FLAG } from "./query.ts";

const HEADER_OCTETS = 12;
/** What every network passes on in one piece (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;
/** RFC 1035 §4.2.1: to whoever does not say more by EDNS. */
const PLAIN_UDP = 512;
const TYPE_CLASS = 4;
const BAD_VERSION = 16;
/** RFC 8767 §4: TTLs are weeks at most; a day is more than names need to move. */
const MAX_TTL_SECONDS = 86_400;
/** RFC 2308 §5: one to three hours. */
const MAX_NEGATIVE_TTL_SECONDS = 3600;

/** How a client's message came. */
export interface ClientSide {
  readonly transport: "udp" | "tcp";
  /** Options for the answer's OPT, such as a cookie. */
  readonly options?: readonly EdnsOption[];
}

/** An answer to any client that asks the same question, without its id, its case and its EDNS. */
export interface Reply {
  readonly octets: Uint8Array;
  /** Where the TTLs of its records are. */
  readonly ttlPlaces: readonly number[];
  readonly isAuthentic: boolean;
  readonly isNegative: boolean;
  /** Seconds that it may be remembered. */
  readonly ttl: number;
}

/** Puts an answer together: what has no place in a whole message is an error of the upstream's. */
export function composeReply(
  writer: MessageWriter,
  { name, type, class: kind }: Pick<ClientQuery, "name" | "type" | "class">,
  facts: Facts,
): Reply | undefined {
  writer.begin({ id: 0, flags: facts.code, limit: MAX_MESSAGE_BYTES });
  writer.addQuestion(name, { type, class: kind });
  const most = facts.isNegative ? MAX_NEGATIVE_TTL_SECONDS : MAX_TTL_SECONDS;
  const ttlPlaces: number[] = [];
  const add = (section: "answer" | "authority", { owner, ...set }: OwnedSet): boolean => {
    const ttl = Math.min(set.ttl, most);
    for (const data of set.data) {
      const start = writer.length;
      if (!writer.addSet(section, owner, { ...set, ttl, data: [data] })) return false;
      ttlPlaces.push(start);
    }
    return true;
  };
  const fits = facts.answers.every((set) => add("answer", set)) &&
    facts.authorities.every((set) => add("authority", set));
  if (!fits) return undefined;
  const octets = writer.finish();
  const { isAuthentic, isNegative } = facts;
  const ttl = Math.min(facts.ttl, most);
  const places = ttlPlaces.map((start) => endOfName(octets, start) + TYPE_CLASS);
  return { octets, ttlPlaces: places, isAuthentic, isNegative, ttl };
}

/** How much later than it was made a reply is given. */
export type Age = { readonly seconds: number } | { readonly staleTtl: number };

/** The message for one client. */
export function renderReply(
  reply: Reply,
  query: ClientQuery,
  { side, age }: { readonly side: ClientSide; readonly age: Age },
): Uint8Array<ArrayBuffer> {
  const opt = optFor(query, side);
  const limit = limitFor(query, side);
  const { octets: full } = reply;
  const isCut = full.length + opt.length > limit;
  const length = isCut ? HEADER_OCTETS + query.name.length + TYPE_CLASS : full.length;
  const octets = new Uint8Array(length + opt.length);
  octets.set(isCut ? full.subarray(0, length) : full);
  const view = new DataView(octets.buffer);
  writeHead(view, query, {
    code: (full[3] as number) & 15,
    bits: (isCut ? FLAG.truncated : 0) |
      (reply.isAuthentic && wantsAuthentic(query) ? FLAG.authenticData : 0),
  });
  for (let i = 0; i < query.name.length; i++) octets[HEADER_OCTETS + i] = query.name.charCodeAt(i);
  if (isCut) octets.fill(0, 6, 10);
  else writeTtls(view, reply.ttlPlaces, age);
  appendOpt(octets, length, opt);
  return octets;
}

/** A message that says nothing but its code. */
export function renderCode(
  query: ClientQuery,
  code: number,
  side: ClientSide,
): Uint8Array<ArrayBuffer> {
  const opt = optFor(query, side, code >> 4);
  const length = HEADER_OCTETS + query.name.length + TYPE_CLASS;
  const octets = new Uint8Array(length + opt.length);
  const view = new DataView(octets.buffer);
  writeHead(view, query, { code: code & 15, bits: 0 });
  view.setUint16(4, 1);
  for (let i = 0; i < query.name.length; i++) octets[HEADER_OCTETS + i] = query.name.charCodeAt(i);
  view.setUint16(length - 4, query.type);
  view.setUint16(length - 2, query.class);
  appendOpt(octets, length, opt);
  return octets;
}

/** For a message that could not be read; the id, the opcode and RD as they came. */
export function renderHead(octets: Uint8Array, code: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(HEADER_OCTETS);
  head.set(octets.subarray(0, 3));
  head[2] = (head[2] as number) & 0x79 | 0x80;
  head[3] = code;
  return head;
}

/** The code of a query's EDNS that is not of version 0 (RFC 6891 §6.1.3). */
export function ednsProblem({ edns }: ClientQuery): number | undefined {
  return edns !== undefined && edns.version !== 0 ? BAD_VERSION : undefined;
}

function writeHead(
  view: DataView,
  { id, flags }: ClientQuery,
  { code, bits }: { readonly code: number; readonly bits: number },
): void {
  view.setUint16(0, id);
  const copied = flags & (FLAG.recursionDesired | FLAG.checkingDisabled);
  view.setUint16(2, FLAG.response | FLAG.recursionAvailable | copied | bits | code);
}

function writeTtls(view: DataView, places: readonly number[], age: Age): void {
  for (const at of places) {
    const ttl = "staleTtl" in age ? age.staleTtl : Math.max(0, view.getUint32(at) - age.seconds);
    view.setUint32(at, ttl);
  }
}

/** RFC 6840 §5.7: AD tells something to whoever asks for it. */
function wantsAuthentic({ flags, edns }: ClientQuery): boolean {
  return (flags & FLAG.authenticData) !== 0 || edns?.isDnssecOk === true;
}

function limitFor({ edns }: ClientQuery, { transport }: ClientSide): number {
  if (transport === "tcp") return MAX_MESSAGE_BYTES;
  return edns === undefined ? PLAIN_UDP : Math.min(edns.payloadOctets, UDP_PAYLOAD);
}

const NO_OPT = new Uint8Array(0);
/** Most OPT records are one of these two. */
const OPT = encodeOpt({ payloadOctets: UDP_PAYLOAD, isDnssecOk: false });
const OPT_DNSSEC = encodeOpt({ payloadOctets: UDP_PAYLOAD, isDnssecOk: true });

function optFor({ edns }: ClientQuery, { options }: ClientSide, extendedCode = 0): Uint8Array {
  if (edns === undefined) return NO_OPT;
  const { isDnssecOk } = edns;
  if (options === undefined && extendedCode === 0) return isDnssecOk ? OPT_DNSSEC : OPT;
  const own = { payloadOctets: UDP_PAYLOAD, isDnssecOk, extendedCode };
  return encodeOpt({ ...own, ...options !== undefined && { options } });
}

function appendOpt(octets: Uint8Array, at: number, opt: Uint8Array): void {
  if (opt.length === 0) return;
  octets.set(opt, at);
  octets[11] = 1;
}

/** Where the name that begins at `at` ends, in a message of ours. */
function endOfName(octets: Uint8Array, at: number): number {
  let end = at;
  for (let length = octets[end] as number; length !== 0; length = octets[end] as number) {
    if (length >= 0xc0) return end + 2;
    end += 1 + length;
  }
  return end + 1;
}
