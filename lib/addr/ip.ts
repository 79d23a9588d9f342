import { failure, type Result, success } from "./result.ts";

/**
 * An IP address as 32-bit words, most significant first. IPv4 uses only `w3`; the other words are
 * then 0. An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2) never exists in this
 * form: every constructor here turns it into the IPv4 address, so that an IPv4 rule cannot be
 * dodged by arriving on a dual-stack socket.
 */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`. */
const MAX_IPV6_TEXT = 45;
const NOT_AN_IP = failure("not an IPv4 or IPv6 address");

/**
 * Parses an IPv4 address (four decimal octets, no leading zeroes, RFC 6943 §3.1.1 "strict form")
 * or an IPv6 address (RFC 4291 §2.2). Octal, hexadecimal and short IPv4 forms, zone identifiers
 * and surrounding space are refused: what two parsers read differently is a way around a rule.
 *
 * @example
 * ```ts
 * import { formatIp, parseIp } from "./ip.ts";
 * import assert from "node:assert/strict";
 *
 * const mapped = parseIp("::ffff:192.0.2.1");
 * assert(mapped.ok);
 * assert.equal(formatIp(mapped.value), "192.0.2.1");
 * assert.equal(parseIp("0x7f.0.0.1").ok, false);
 * ```
 */
export function parseIp(text: string): Result<IpAddress> {
  const v4 = parseV4(text, 0);
  if (v4 !== undefined) return success(ipv4(v4));
  return parseV6(text) ?? NOT_AN_IP;
}

/**
 * An address from 4 or 16 octets in network order.
 *
 * @throws {RangeError} if there are not 4 or 16 octets.
 */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`an IP address has 4 or 16 octets, not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return ipv4(view.getUint32(0));
  return ipv6(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}

/** The 4 or 16 octets of an address in network order, in a new array. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  const bytes = new Uint8Array(ip.family === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (ip.family === 4) {
    view.setUint32(0, ip.w3);
  } else {
    view.setUint32(0, ip.w0);
    view.setUint32(4, ip.w1);
    view.setUint32(8, ip.w2);
    view.setUint32(12, ip.w3);
  }
  return bytes;
}

/** The canonical text: dotted decimal, or RFC 5952 for IPv6. */
export function formatIp(ip: IpAddress): string {
  if (ip.family === 4) {
    return `${ip.w3 >>> 24}.${(ip.w3 >>> 16) & 255}.${(ip.w3 >>> 8) & 255}.${ip.w3 & 255}`;
  }
  const groups = [ip.w0, ip.w1, ip.w2, ip.w3].flatMap((word) => [word >>> 16, word & 0xffff]);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  const run = longestZeroRun(groups);
  if (run === undefined) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.end))}`;
}

/** What counts as one source: an IPv4 address, or an IPv6 /64, which is what one customer gets. */
export function sourceKey({ family, w0, w1, w3 }: IpAddress): string {
  return family === 4 ? `${w3}` : `${w0}:${w1}`;
}

/** Whether the address is in `127.0.0.0/8` or is `::1`. */
export function isLoopback(ip: IpAddress): boolean {
  if (ip.family === 4) return ip.w3 >>> 24 === 127;
  return ip.w0 === 0 && ip.w1 === 0 && ip.w2 === 0 && ip.w3 === 1;
}

/** An IPv4 address from its 32-bit number. */
export function ipv4(word: number): IpAddress {
  return { family: 4, w0: 0, w1: 0, w2: 0, w3: word >>> 0 };
}

/** An IPv6 address from its words, or the IPv4 address it maps. */
export function ipv6(w0: number, w1: number, w2: number, w3: number): IpAddress {
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return ipv4(w3);
  return { family: 6, w0: w0 >>> 0, w1: w1 >>> 0, w2: w2 >>> 0, w3: w3 >>> 0 };
}

/** The IPv4 number written in `text` from `start` to its end, or `undefined`. */
function parseV4(text: string, start: number): number | undefined {
  let word = 0;
  let octet: number | undefined;
  let dots = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (octet === undefined) return undefined;
      word = word * 256 + octet;
      octet = undefined;
      dots++;
    } else if (code < ZERO || code > NINE || octet === 0) {
      return undefined; // octet === 0: a leading zero reads as octal elsewhere
    } else {
      octet = octet === undefined ? code - ZERO : octet * 10 + code - ZERO;
      if (octet > 255) return undefined;
    }
  }
  return dots === 3 && octet !== undefined ? word * 256 + octet : undefined;
}

function parseV6(text: string): Result<IpAddress> | undefined {
  if (text.length > MAX_IPV6_TEXT) return undefined;
  if (text.includes("%")) return failure("zone identifiers are not accepted");
  const gap = text.indexOf("::");
  if (gap === -1) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? success(fromGroups(groups)) : undefined;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  // RFC 5952 wants "::" to stand for at least two groups; RFC 4291 allows one, so one is read.
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined;
  const zeroes = new Array<number>(8 - head.length - tail.length).fill(0);
  return success(fromGroups([...head, ...zeroes, ...tail]));
}

/** The 16-bit groups of one side of "::"; only the last side may end in a dotted IPv4 address. */
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  let at = 0;
  for (;;) {
    let end = text.indexOf(":", at);
    if (end === -1) end = text.length;
    const piece = text.slice(at, end);
    if (/^[0-9a-fA-F]{1,4}$/.test(piece)) {
      groups.push(parseInt(piece, 16));
    } else {
      const word = isLast ? parseV4(text, at) : undefined;
      if (word === undefined) return undefined;
      groups.push(Math.floor(word / 65536), word % 65536);
    }
    if (end === text.length) return groups;
    at = end + 1;
  }
}

function fromGroups(groups: number[]): IpAddress {
  const word = (i: number) => (groups[i] as number) * 65536 + (groups[i + 1] as number);
  return ipv6(word(0), word(2), word(4), word(6));
}

/** What "::" stands for: the first of the longest runs of zeroes (RFC 5952 §4.2.3). */
function longestZeroRun(groups: number[]): { start: number; end: number } | undefined {
  // RFC 5952 §4.2.2: "::" must not shorten a single 16-bit group.
  let longest = 1;
  let best: { start: number; end: number } | undefined;
  let start = 0;
  for (const [i, group] of groups.entries()) {
    const end = i + 1;
    if (group !== 0) start = end;
    if (end - start <= longest) continue;
    longest = end - start;
    best = { start, end };
  }
  return best;
}
