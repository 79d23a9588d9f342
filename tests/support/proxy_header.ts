/**
 * Builds PROXY v2 headers, well-formed and broken, octet by octet from the specification. It shares
 * no code with the parser and the writer.
 *
 * @module
 */
import { concat, u16, vector16 } from "./hello.ts";

/** The 12 octets every v2 header begins with. */
export const V2_SIGNATURE: Uint8Array = Uint8Array.fromHex("0d0a0d0a000d0a515549540a");

/** What to build; the default is a TCP over IPv4 header, 192.0.2.7:50000 to 198.51.100.1:443. */
export interface V2Options {
  /** Version and command, default 0x21. */
  readonly command?: number;
  /** Family and transport, default 0x11. */
  readonly family?: number;
  /** Address block, default `IPV4_BLOCK`. */
  readonly block?: Uint8Array;
  /** What follows the block, such as `tlv(…)`. */
  readonly rest?: readonly Uint8Array[];
  /** Added to the length field, to lie about it. */
  readonly lengthError?: number;
}

/** 192.0.2.7 → 198.51.100.1, ports 50000 and 443. */
export const IPV4_BLOCK: Uint8Array = Uint8Array.fromHex("c0000207c6336401c35001bb");
/** 2001:db8::7 → 2001:db8::1, ports 50000 and 443. */
export const IPV6_BLOCK: Uint8Array = Uint8Array.fromHex(
  "20010db8000000000000000000000007" + "20010db8000000000000000000000001" + "c35001bb",
);

/** A v2 header. */
export function buildV2Header(options: V2Options = {}): Uint8Array {
  const body = concat([options.block ?? IPV4_BLOCK, ...(options.rest ?? [])]);
  return concat([
    V2_SIGNATURE,
    Uint8Array.of(options.command ?? 0x21, options.family ?? 0x11),
    u16(body.length + (options.lengthError ?? 0)),
    body,
  ]);
}

/** One type-length-value vector. */
export function tlv(type: number, value: Uint8Array | string): Uint8Array {
  const octets = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return concat([Uint8Array.of(type), vector16(octets)]);
}

/** The header with a CRC32C TLV behind its other TLVs that fits, after RFC 4960, Appendix B. */
export function buildV2HeaderWithChecksum(options: V2Options = {}): Uint8Array {
  const zeroed = tlv(3, new Uint8Array(4));
  const header = buildV2Header({ ...options, rest: [...(options.rest ?? []), zeroed] });
  new DataView(header.buffer).setUint32(header.length - 4, crc32cBitwise(header));
  return header;
}

/** CRC32C one bit at a time, the definition itself. */
export function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of bytes) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** A v2 header from its octet for version and command, the one for the family, and the rest. */
export function proxyV2(command: number, family: number, block: Uint8Array): Uint8Array {
  return buildV2Header({ command, family, block });
}

/** A v1 line for TCP over IPv4 or IPv6, told apart by the colons. */
export function proxyV1(
  source: string,
  destination: string,
  ports: { readonly source?: number; readonly destination?: number } = {},
): Uint8Array {
  const family = source.includes(":") ? "TCP6" : "TCP4";
  const line = `PROXY ${family} ${source} ${destination} ${ports.source ?? 40000} ${
    ports.destination ?? 443
  }\r\n`;
  return new TextEncoder().encode(line);
}
