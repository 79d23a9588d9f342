const MAX_WINDOW_OCTETS = 32;

/** Whether octets are a bit map of types (RFC 4034 §4.1.2): windows in order, none of them empty. */
export function areTypeBits(octets: Uint8Array): boolean {
  let last = -1;
  for (let at = 0; at < octets.length;) {
    const window = octets[at] as number;
    const length = octets[at + 1] ?? 0;
    const end = at + 2 + length;
    if (window <= last || length === 0 || length > MAX_WINDOW_OCTETS || end > octets.length) {
      return false;
    }
    if (octets[end - 1] === 0) return false;
    last = window;
    at = end;
  }
  return true;
}

/** The bit map of types, in any order. */
export function encodeTypeBits(types: Iterable<number>): Uint8Array {
  const sorted = [...new Set(types)].sort((a, b) => a - b);
  const octets: number[] = [];
  for (let i = 0; i < sorted.length;) {
    const window = (sorted[i] as number) >> 8;
    const bits: number[] = [];
    for (; i < sorted.length && (sorted[i] as number) >> 8 === window; i++) {
      const low = (sorted[i] as number) & 0xff;
      while (bits.length <= low >> 3) bits.push(0);
      bits[low >> 3] = (bits[low >> 3] as number) | 0x80 >> (low & 7);
    }
    octets.push(window, bits.length, ...bits);
  }
  return Uint8Array.from(octets);
}

/** The types of a valid bit map, in order. */
export function decodeTypeBits(octets: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at < octets.length;) {
    const window = octets[at] as number;
    const length = octets[at + 1] as number;
    for (let bit = 0; bit < 8 * length; bit++) {
      const octet = octets[at + 2 + (bit >> 3)] as number;
      if ((octet & 0x80 >> (bit & 7)) !== 0) types.push(window << 8 | bit);
    }
    at += 2 + length;
  }
  return types;
}
