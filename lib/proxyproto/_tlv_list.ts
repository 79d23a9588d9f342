/** One type-length-value vector of a v2 header (§2.2). */
export interface ProxyTlv {
  /** 0–255. */
  readonly type: number;
  /** At most 65,535 octets. */
  readonly value: Uint8Array;
}

/** The types that §2.2 and its subsections define. */
export const TlvType = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const;

/** The length field has 16 bits. */
export const MAX_VALUE = 65_535;
/** Type (1) and length (2). */
export const TLV_HEADER = 3;

/** The TLVs that fill `bytes` exactly, or `undefined`; values are views. */
export function splitTlvs(bytes: Uint8Array): ProxyTlv[] | undefined {
  const tlvs: ProxyTlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + TLV_HEADER;
    if (start > bytes.length) return undefined;
    const end = start + ((bytes[at + 1] as number) << 8 | (bytes[at + 2] as number));
    if (end > bytes.length) return undefined;
    tlvs.push({ type: bytes[at] as number, value: bytes.subarray(start, end) });
    at = end;
  }
  return tlvs;
}

/** The value of the first TLV of a type. */
export function findTlv(tlvs: readonly ProxyTlv[], type: number): Uint8Array | undefined {
  return tlvs.find((tlv) => tlv.type === type)?.value;
}

/** Octets the TLVs take, with their headers. */
export function tlvsLength(tlvs: readonly ProxyTlv[]): number {
  let length = 0;
  for (const { value } of tlvs) length += TLV_HEADER + value.length;
  return length;
}

/**
 * Writes TLVs into `bytes` from `at` on.
 *
 * @throws {RangeError} if a type is not 0–255 or a value is over {@link MAX_VALUE} octets.
 */
export function writeTlvs(bytes: Uint8Array, at: number, tlvs: readonly ProxyTlv[]): void {
  for (const { type, value } of tlvs) {
    if (!(type >= 0 && type <= 255)) throw new RangeError(`a TLV type is 0–255, not ${type}`);
    if (value.length > MAX_VALUE) {
      throw new RangeError(`a TLV has at most ${MAX_VALUE} octets, not ${value.length}`);
    }
    bytes[at] = type;
    bytes[at + 1] = value.length >> 8;
    bytes[at + 2] = value.length;
    bytes.set(value, at + TLV_HEADER);
    at += TLV_HEADER + value.length;
  }
}

/** The value as text, or `undefined` if it is not UTF-8. */
export function decodeUtf8(value: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return undefined;
  }
}

/** The value as text, or `undefined` if it is not US-ASCII. */
export function decodeAscii(value: Uint8Array): string | undefined {
  return value.every((octet) => octet < 0x80) ? decodeUtf8(value) : undefined;
}
