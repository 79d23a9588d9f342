import { ipFromBytes } from "../addr/mod.ts";
import { type Decoded, invalid, NEED, ok } from "../wire/mod.ts";
import { crc32c } from "./_crc32c.ts";
import { checkTlvs, readCrc32cTlv } from "./tlv.ts";
import { findTlv, type ProxyTlv, splitTlvs, TlvType } from "./_tlv_list.ts";
import type { ProxyHeader, SocketAddress } from "./_types.ts";

/** §2.2: "\x0D \x0A \x0D \x0A \x00 \x0D \x0A \x51 \x55 \x49 \x54 \x0A". */
export const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
/** Signature, version and command, family and transport, length. */
export const FIXED_LENGTH = 16;

const AT_VERSION = 12;
const AT_FAMILY = 13;
const AT_LENGTH = 14;

const COMMAND_LOCAL = 0;
const COMMAND_PROXY = 1;
const FAMILY_UNSPEC = 0;
const FAMILY_INET = 1;
const FAMILY_INET6 = 2;
const FAMILY_UNIX = 3;
const TRANSPORT_UNSPEC = 0;
const TRANSPORT_DGRAM = 2;

/** Octets of both addresses and ports, by family: nothing, 2·(4+2), 2·(16+2), 2·108. */
const BLOCK_LENGTH: readonly number[] = [0, 12, 36, 216];

const WRONG_SIGNATURE = invalid("a v2 header has a wrong signature");
/** "As of this specification, it must always be sent as \x2 and the receiver must only accept this value." */
const WRONG_VERSION = invalid("a v2 header has a version other than 2");
/** "Receivers must drop connections presenting unexpected values here." */
const WRONG_COMMAND = invalid("a v2 header has an unassigned command");
/** "other values are unspecified […] and must be rejected as invalid by receivers." */
const WRONG_FAMILY = invalid("a v2 header has an unspecified address family");
const WRONG_TRANSPORT = invalid("a v2 header has an unspecified transport protocol");
const SHORT_BLOCK = invalid("a v2 header is too short for its addresses");
const TOO_LONG = invalid("a v2 header is over the length limit");
/** "If it is not [the same], the receiver MUST treat the TLV providing the header as invalid." */
const WRONG_CHECKSUM = invalid("a v2 header has a wrong CRC32C checksum");
const WRONG_TLVS = invalid("a v2 header has TLVs that do not fit its length");

/** Reads a binary header (§2.2). Each octet of the fixed part is judged as soon as it is there. */
export function parseV2(bytes: Uint8Array, maxLength: number): Decoded<ProxyHeader> {
  const refused = checkFixedPart(bytes);
  if (refused !== undefined) return refused;
  if (bytes.length < FIXED_LENGTH) return NEED;
  const isLocal = ((bytes[AT_VERSION] as number) & 15) === COMMAND_LOCAL;
  const family = (bytes[AT_FAMILY] as number) >> 4;
  const transport = (bytes[AT_FAMILY] as number) & 15;
  const length = u16(bytes, AT_LENGTH);
  const size = FIXED_LENGTH + length;
  if (size > maxLength) return TOO_LONG;
  const block = BLOCK_LENGTH[family] ?? 0;
  if (!isLocal && length < block) return SHORT_BLOCK;
  if (bytes.length < size) return NEED;
  const tlvs = length < block ? undefined : splitTlvs(bytes.subarray(FIXED_LENGTH + block, size));
  if (isLocal) return ok({ version: 2, command: "local", tlvs: tlvs ?? [] }, size);
  if (tlvs === undefined && family !== FAMILY_UNSPEC) return WRONG_TLVS;
  const problem = tlvs === undefined ? undefined : checkContent(bytes.subarray(0, size), tlvs);
  if (problem !== undefined) return problem;
  const header: ProxyHeader = {
    version: 2,
    command: "proxy",
    ...transport === TRANSPORT_DGRAM && { isDatagram: true },
    tlvs: tlvs ?? [],
  };
  const hasIp = family === FAMILY_INET || family === FAMILY_INET6;
  if (!hasIp || transport === TRANSPORT_UNSPEC) return ok(header, size);
  return ok({ ...header, ...readAddresses(bytes, family === FAMILY_INET ? 4 : 16) }, size);
}

/** Why the octets so far cannot begin a header, if they cannot. */
function checkFixedPart(bytes: Uint8Array): Decoded<never> | undefined {
  const known = Math.min(bytes.length, SIGNATURE.length);
  for (let i = 0; i < known; i++) if (bytes[i] !== SIGNATURE[i]) return WRONG_SIGNATURE;
  const version = bytes[AT_VERSION];
  if (version === undefined) return undefined;
  if (version >> 4 !== 2) return WRONG_VERSION;
  const command = version & 15;
  if (command > COMMAND_PROXY) return WRONG_COMMAND;
  const family = bytes[AT_FAMILY];
  // LOCAL: "the family which is ignored".
  if (family === undefined || command === COMMAND_LOCAL) return undefined;
  if (family >> 4 > FAMILY_UNIX) return WRONG_FAMILY;
  return (family & 15) > TRANSPORT_DGRAM ? WRONG_TRANSPORT : undefined;
}

/** Both addresses, then both ports, behind the fixed part. */
function readAddresses(
  bytes: Uint8Array,
  octets: 4 | 16,
): { readonly source: SocketAddress; readonly destination: SocketAddress } {
  const second = FIXED_LENGTH + octets;
  const ports = second + octets;
  return {
    source: { ip: ipFromBytes(bytes.subarray(FIXED_LENGTH, second)), port: u16(bytes, ports) },
    destination: { ip: ipFromBytes(bytes.subarray(second, ports)), port: u16(bytes, ports + 2) },
  };
}

/** Why the TLVs refuse the header, if they do: their forms, then the checksum. */
function checkContent(
  header: Uint8Array,
  tlvs: readonly ProxyTlv[],
): Decoded<never> | undefined {
  if (tlvs.length === 0) return undefined;
  const problem = checkTlvs(tlvs);
  if (problem !== undefined) return invalid(`a v2 header has ${problem}`);
  const field = findTlv(tlvs, TlvType.crc32c);
  if (field === undefined) return undefined;
  // §2.2.3: "replace the 32 bits of the checksum field in the received PROXY header with all '0's".
  const zeroed = header.slice();
  const at = field.byteOffset - header.byteOffset;
  zeroed.fill(0, at, at + field.length);
  return crc32c(zeroed) === readCrc32cTlv(tlvs) ? undefined : WRONG_CHECKSUM;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) << 8 | (bytes[at + 1] as number);
}
