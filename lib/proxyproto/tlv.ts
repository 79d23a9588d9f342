import {
  decodeAscii,
  decodeUtf8,
  findTlv,
  MAX_VALUE,
  type ProxyTlv,
  TlvType,
} from "./_tlv_list.ts";
import { readSslValue } from "./ssl.ts";

export { type ProxyTlv, TlvType };

/** §2.2.5: "an opaque byte sequence of up to 128 bytes". */
export const MAX_UNIQUE_ID = 128;
/** ALPN names are 1–255 octets (RFC 7301 §3.1). */
const MAX_ALPN = 255;
const CRC32C_LENGTH = 4;

/** What is wrong with the TLVs of the types defined by the specification, if anything is. */
export function checkTlvs(tlvs: readonly ProxyTlv[]): string | undefined {
  const seen = new Set<number>();
  for (const { type, value } of tlvs) {
    const form = FORMS.get(type);
    if (form === undefined) continue;
    if (seen.has(type)) return `two ${form.name} TLVs`;
    seen.add(type);
    if (!form.accepts(value)) return `a malformed ${form.name} TLV`;
  }
  return undefined;
}

/** The application protocol, one character an octet; `undefined` if there is none. */
export function readAlpnTlv(tlvs: readonly ProxyTlv[]): string | undefined {
  const value = valueOf(tlvs, TlvType.alpn);
  return value && String.fromCharCode(...value);
}

/** The host name the client asked for, as sent: it is not checked to be a hostname. */
export function readAuthorityTlv(tlvs: readonly ProxyTlv[]): string | undefined {
  const value = valueOf(tlvs, TlvType.authority);
  return value && decodeUtf8(value);
}

/** The checksum, already verified by `parseProxyHeader()` if it gave these TLVs. */
export function readCrc32cTlv(tlvs: readonly ProxyTlv[]): number | undefined {
  const value = valueOf(tlvs, TlvType.crc32c);
  return value && new DataView(value.buffer, value.byteOffset).getUint32(0);
}

/** The opaque identifier of the connection, at most {@link MAX_UNIQUE_ID} octets. */
export function readUniqueIdTlv(tlvs: readonly ProxyTlv[]): Uint8Array | undefined {
  return valueOf(tlvs, TlvType.uniqueId);
}

/** The name of the sender's network namespace. */
export function readNetnsTlv(tlvs: readonly ProxyTlv[]): string | undefined {
  const value = valueOf(tlvs, TlvType.netns);
  return value && decodeAscii(value);
}

/**
 * An ALPN TLV.
 *
 * @throws {RangeError} if the name does not have 1–255 characters of one octet each.
 */
export function alpnTlv(protocol: string): ProxyTlv {
  const value = Uint8Array.from(protocol, (character) => character.charCodeAt(0));
  if (value.length < 1 || value.length > MAX_ALPN || /[^\0-\xff]/.test(protocol)) {
    throw new RangeError("an ALPN name has 1–255 characters of one octet each");
  }
  return { type: TlvType.alpn, value };
}

/**
 * An AUTHORITY TLV: the host name from the SNI.
 *
 * @throws {RangeError} if the name is over 65,535 octets long.
 */
export function authorityTlv(name: string): ProxyTlv {
  const value = new TextEncoder().encode(name);
  if (value.length > MAX_VALUE) throw new RangeError("an AUTHORITY TLV has at most 65535 octets");
  return { type: TlvType.authority, value };
}

/**
 * A UNIQUE_ID TLV.
 *
 * @throws {RangeError} if the identifier is over {@link MAX_UNIQUE_ID} octets long.
 */
export function uniqueIdTlv(value: Uint8Array): ProxyTlv {
  if (value.length > MAX_UNIQUE_ID) {
    throw new RangeError(`a UNIQUE_ID TLV has at most ${MAX_UNIQUE_ID} octets`);
  }
  return { type: TlvType.uniqueId, value };
}

/** What the specification says of each type that may occur once. */
const FORMS: ReadonlyMap<
  number,
  { readonly name: string; readonly accepts: (value: Uint8Array) => boolean }
> = new Map([
  [TlvType.alpn, {
    name: "ALPN",
    accepts: (value: Uint8Array) => value.length >= 1 && value.length <= MAX_ALPN,
  }],
  [TlvType.authority, {
    // "the host name value passed by the client, as an UTF8-encoded string".
    name: "AUTHORITY",
    accepts: (value: Uint8Array) => decodeUtf8(value) !== undefined,
  }],
  [TlvType.crc32c, {
    name: "CRC32C",
    accepts: (value: Uint8Array) => value.length === CRC32C_LENGTH,
  }],
  [TlvType.uniqueId, {
    name: "UNIQUE_ID",
    accepts: (value: Uint8Array) => value.length <= MAX_UNIQUE_ID,
  }],
  [TlvType.ssl, {
    name: "SSL",
    accepts: (value: Uint8Array) => readSslValue(value) !== undefined,
  }],
  [TlvType.netns, {
    // "the value is the US-ASCII string representation of the namespace's name".
    name: "NETNS",
    accepts: (value: Uint8Array) => decodeAscii(value) !== undefined,
  }],
]);

/** The value of the TLV of this type, if there is one and it has the form of its type. */
function valueOf(tlvs: readonly ProxyTlv[], type: number): Uint8Array | undefined {
  const value = findTlv(tlvs, type);
  return value !== undefined && FORMS.get(type)?.accepts(value) ? value : undefined;
}
