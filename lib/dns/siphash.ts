/** A key of SipHash, as four words, the least significant of each half first. */
export type SipKey = readonly [number, number, number, number];

/** Mixing rounds for each word of the message, and at the end: SipHash-2-4. */
const ROUNDS_AT_END = 4;

/** The key that 16 octets are. */
export function sipKey(octets: Uint8Array): SipKey {
  if (octets.length !== 16) throw new RangeError(`a key has 16 octets, not ${octets.length}`);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return [0, 4, 8, 12].map((at) => view.getInt32(at, true)) as unknown as SipKey;
}

/** The state, each of its four words in two halves: JavaScript has no fast words of 64 bits. */
class State {
  l0: number;
  h0: number;
  l1: number;
  h1: number;
  l2: number;
  h2: number;
  l3: number;
  h3: number;

  constructor([k0, k1, k2, k3]: SipKey) {
    // "somepseudorandomlygeneratedbytes"
    this.l0 = k0 ^ 0x70736575;
    this.h0 = k1 ^ 0x736f6d65;
    this.l1 = k2 ^ 0x6e646f6d;
    this.h1 = k3 ^ 0x646f7261;
    this.l2 = k0 ^ 0x6e657261;
    this.h2 = k1 ^ 0x6c796765;
    this.l3 = k2 ^ 0x79746573;
    this.h3 = k3 ^ 0x74656462;
  }

  /** Takes one word of the message in. */
  take(low: number, high: number): void {
    this.l3 ^= low;
    this.h3 ^= high;
    this.round();
    this.round();
    this.l0 ^= low;
    this.h0 ^= high;
  }

  round(): void {
    let { l0, h0, l1, h1, l2, h2, l3, h3 } = this;
    let low = (l0 >>> 0) + (l1 >>> 0);
    h0 = h0 + h1 + (low > 0xffffffff ? 1 : 0) | 0;
    l0 = low | 0;
    [l1, h1] = [l1 << 13 | h1 >>> 19, h1 << 13 | l1 >>> 19];
    l1 ^= l0;
    h1 ^= h0;
    [l0, h0] = [h0, l0];
    low = (l2 >>> 0) + (l3 >>> 0);
    h2 = h2 + h3 + (low > 0xffffffff ? 1 : 0) | 0;
    l2 = low | 0;
    [l3, h3] = [l3 << 16 | h3 >>> 16, h3 << 16 | l3 >>> 16];
    l3 ^= l2;
    h3 ^= h2;
    low = (l0 >>> 0) + (l3 >>> 0);
    h0 = h0 + h3 + (low > 0xffffffff ? 1 : 0) | 0;
    l0 = low | 0;
    [l3, h3] = [l3 << 21 | h3 >>> 11, h3 << 21 | l3 >>> 11];
    l3 ^= l0;
    h3 ^= h0;
    low = (l2 >>> 0) + (l1 >>> 0);
    h2 = h2 + h1 + (low > 0xffffffff ? 1 : 0) | 0;
    l2 = low | 0;
    [l1, h1] = [l1 << 17 | h1 >>> 15, h1 << 17 | l1 >>> 15];
    l1 ^= l2;
    h1 ^= h2;
    [l2, h2] = [h2, l2];
    this.l0 = l0;
    this.h0 = h0;
    this.l1 = l1;
    this.h1 = h1;
    this.l2 = l2;
    this.h2 = h2;
    this.l3 = l3;
    this.h3 = h3;
  }
}

/** SipHash-2-4 of some octets, 8 octets as its authors write it (the least significant first). */
export function sipHash(key: SipKey, octets: Uint8Array): Uint8Array<ArrayBuffer> {
  const state = new State(key);
  const padded = new Uint8Array((octets.length & ~7) + 8);
  padded.set(octets);
  padded[padded.length - 1] = octets.length;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) {
    state.take(view.getInt32(at, true), view.getInt32(at + 4, true));
  }
  state.l2 ^= 0xff;
  for (let i = 0; i < ROUNDS_AT_END; i++) state.round();
  const hash = new Uint8Array(8);
  const result = new DataView(hash.buffer);
  result.setInt32(0, state.l0 ^ state.l1 ^ state.l2 ^ state.l3, true);
  result.setInt32(4, state.h0 ^ state.h1 ^ state.h2 ^ state.h3, true);
  return hash;
}
