/** Hashes of a prefix: MurmurHash3's mixing (Appleby), which spreads every bit over the word. */

/** Hash of an IPv4 prefix. */
export function hash4(seed: number, w0: number): number {
  return finish(mix(Math.imul(seed, 0x9e3779b1), w0));
}

/** Hash of an IPv6 prefix. */
export function hash6(seed: number, w0: number, w1: number, w2: number, w3: number): number {
  return finish(mix(mix(mix(mix(Math.imul(seed, 0x9e3779b1), w0), w1), w2), w3));
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul(k << 15 | k >>> 17, 0x1b873593);
  const mixed = h ^ k;
  return (Math.imul(mixed << 13 | mixed >>> 19, 5) + 0xe6546b64) | 0;
}

function finish(h: number): number {
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return h ^ h >>> 16;
}
