/** The keys of two hashes, two words each: one chooses a place, the other one tells who is there. */
export type TwoKeys = readonly [number, number, number, number];

/**
 * HalfSipHash-1-3 of a message of nine octets (two words and one octet): a keyed hash for tables
 * whose keys strangers choose (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT
 * 2012; the 32-bit variant is what Linux uses for its tables on 32-bit machines). Without the key
 * nobody can tell which messages collide.
 */
export function halfSipHash(k0: number, k1: number, w0: number, w1: number, last: number): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  for (let round = 0; round < 6; round++) {
    // Three blocks, the last with the message's length, then three rounds to finish.
    const block = round === 0 ? w0 : round === 1 ? w1 : round === 2 ? 9 << 24 | last : 0;
    if (round === 3) v2 ^= 0xff;
    v3 ^= block;
    v0 = (v0 + v1) | 0;
    v1 = (v1 << 5 | v1 >>> 27) ^ v0;
    v0 = v0 << 16 | v0 >>> 16;
    v2 = (v2 + v3) | 0;
    v3 = (v3 << 8 | v3 >>> 24) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = (v3 << 7 | v3 >>> 25) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = (v1 << 13 | v1 >>> 19) ^ v2;
    v2 = v2 << 16 | v2 >>> 16;
    v0 ^= block;
  }
  return (v1 ^ v3) >>> 0;
}
