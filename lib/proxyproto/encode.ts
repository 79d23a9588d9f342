import type { IpAddress } from "../addr/mod.ts";
import { type ProxyTlv, tlvsLength, writeTlvs } from "./_tlv_list.ts";
import type { SocketAddress } from "./_types.ts";
import { FIXED_LENGTH, SIGNATURE } from "./_v2.ts";

/** What {@link encodeProxyV2} writes. */
export interface ProxyV2Addresses {
  /** The client. */
  readonly source: SocketAddress;
  /** What the client connected to. */
  readonly destination: SocketAddress;
  readonly tlvs?: readonly ProxyTlv[];
}

/** Version 2 in the high nibble, the command in the low one. */
const LOCAL = 0x20;
const PROXY = 0x21;
/** Family in the high nibble, STREAM in the low one. */
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const BLOCK_IPV4 = 12;
const BLOCK_IPV6 = 36;
/** The length field has 16 bits (§2.2); a larger sum would be cut and shift the client's octets. */
const MAX_LENGTH = 65_535;
const MAX_PORT = 65_535;
const NO_TLVS: readonly ProxyTlv[] = [];

/**
 * A v2 PROXY header for a TCP connection, in a new array. IPv4 and IPv6 addresses are written as
 * such; when the two ends differ in family (a dual-stack socket) both are written as IPv6, the IPv4
 * one mapped.
 *
 * @throws {RangeError} if a port is not 0–65535, or addresses and TLVs are over 65,535 octets.
 *
 * @example
 * ```ts
 * import { encodeProxyV2 } from "./encode.ts";
 * import { parseProxyHeader } from "./header.ts";
 * import { parseIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const ip = parseIp("192.0.2.7");
 * assert(ip.ok);
 * const end = { ip: ip.value, port: 443 };
 * const header = parseProxyHeader(encodeProxyV2({ source: end, destination: end }));
 * assert(header.kind === "ok");
 * assert.deepEqual(header.value.source, end);
 * ```
 */
export function encodeProxyV2(
  { source, destination, tlvs = NO_TLVS }: ProxyV2Addresses,
): Uint8Array<ArrayBuffer> {
  const isIpv4 = source.ip.family === 4 && destination.ip.family === 4;
  const block = isIpv4 ? BLOCK_IPV4 : BLOCK_IPV6;
  const length = block + tlvsLength(tlvs);
  if (length > MAX_LENGTH) {
    throw new RangeError(`a PROXY v2 header holds at most ${MAX_LENGTH} octets, not ${length}`);
  }
  const bytes = startHeader(PROXY, isIpv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6, length);
  let at = FIXED_LENGTH;
  for (const { ip } of [source, destination]) {
    at = isIpv4 ? writeWord(bytes, at, ip.w3) : writeIpv6(bytes, at, ip);
  }
  for (const { port } of [source, destination]) at = writePort(bytes, at, port);
  writeTlvs(bytes, at, tlvs);
  return bytes;
}

/** A v2 header that says "this connection is the sender's own", as for health checks (§2.2). */
export function encodeProxyV2Local(): Uint8Array<ArrayBuffer> {
  return startHeader(LOCAL, 0, 0);
}

/** A whole header with its fixed part written. */
function startHeader(command: number, family: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FIXED_LENGTH + length);
  bytes.set(SIGNATURE);
  bytes[12] = command;
  bytes[13] = family;
  bytes[14] = length >> 8;
  bytes[15] = length;
  return bytes;
}

/** Writes an address in 16 octets, IPv4 as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2). */
function writeIpv6(bytes: Uint8Array, at: number, ip: IpAddress): number {
  at = writeWord(bytes, at, ip.w0);
  at = writeWord(bytes, at, ip.w1);
  at = writeWord(bytes, at, ip.family === 4 ? 0xffff : ip.w2);
  return writeWord(bytes, at, ip.w3);
}

function writeWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
  return at + 4;
}

function writePort(bytes: Uint8Array, at: number, port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw new RangeError(`a port is 0–${MAX_PORT}, not ${port}`);
  }
  bytes[at] = port >> 8;
  bytes[at + 1] = port;
  return at + 2;
}
