/**
 * The Huffman code of HPACK (RFC 7541 §5.2, appendix B). The code is canonical: codes of one length
 * are consecutive in the order of their symbols, so the lengths alone define it.
 *
 * @module
 */

/** Code length in bits of each octet 0–255, then of EOS (256). */
const CODE_LENGTHS: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];
const EOS = 256;
const LONGEST_CODE = 30;
/** Padding is shorter than one octet (RFC 7541 §5.2). */
const LONGEST_PADDING = 7;
/** The shortest code has 5 bits, so `n` octets never decode to more than this. */
export function maxDecodedLength(encoded: number): number {
  return Math.floor(encoded * 8 / 5);
}

const LENGTHS = Uint8Array.from(CODE_LENGTHS);
const CODES = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(LENGTHS.length);
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
      if (LENGTHS[symbol] === length) codes[symbol] = code++;
    }
    code <<= 1;
  }
  return codes;
}

/*
 * Decoding walks a state machine four bits at a time. A state is an inner node of the code tree;
 * no code is shorter than 5 bits, so one step yields at most one symbol. A transition packs
 * symbol (bits 0–7), "yields a symbol" (8), "refuse" (9) and the next state (16–24).
 */
const YIELDS = 1 << 8;
const REFUSES = 1 << 9;
const NEXT_SHIFT = 16;
const { transitions: TRANSITIONS, padding: PADDING } = buildMachine();

/** A tree as pairs of children; a negative child `-1 - s` is the leaf of symbol `s`. */
function buildTree(): number[][] {
  const tree: number[][] = [[0, 0]];
  for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
    let node = 0;
    for (let bit = LENGTHS[symbol] as number - 1; bit >= 0; bit--) {
      const side = (CODES[symbol] as number >>> bit) & 1;
      const children = tree[node] as number[];
      if (bit === 0) {
        children[side] = -1 - symbol;
      } else if (children[side] === 0) {
        children[side] = tree.push([0, 0]) - 1;
      }
      node = children[side] as number;
    }
  }
  return tree;
}

function buildMachine(): { transitions: Uint32Array; padding: Uint8Array } {
  const tree = buildTree();
  const transitions = new Uint32Array(tree.length * 16);
  for (let state = 0; state < tree.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      transitions[state * 16 + nibble] = transition(tree, state, nibble);
    }
  }
  // A string may end only inside the first 7 bits of EOS, which are all ones.
  const padding = new Uint8Array(tree.length);
  let node = 0;
  for (let depth = 0; depth <= LONGEST_PADDING; depth++) {
    padding[node] = 1;
    node = tree[node]?.[1] as number;
  }
  return { transitions, padding };
}

function transition(tree: number[][], state: number, nibble: number): number {
  let node = state;
  let packed = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = tree[node]?.[(nibble >>> bit) & 1] as number;
    if (node >= 0) continue;
    const symbol = -1 - node;
    if (symbol === EOS) return REFUSES;
    packed |= YIELDS | symbol;
    node = 0;
  }
  return packed | (node << NEXT_SHIFT);
}

/**
 * Decodes `source[start, end)` into `target`, which must hold `maxDecodedLength(end - start)`
 * octets. Answers how many were written, or -1 if the octets are not a valid encoding: EOS inside,
 * padding longer than 7 bits or not all ones.
 */
export function huffmanDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const octet = source[i] as number;
    let step = TRANSITIONS[(state << 4) | (octet >>> 4)] as number;
    if ((step & (YIELDS | REFUSES)) !== 0) {
      if ((step & REFUSES) !== 0) return -1;
      target[length++] = step;
    }
    step = TRANSITIONS[((step >>> NEXT_SHIFT) << 4) | (octet & 15)] as number;
    if ((step & (YIELDS | REFUSES)) !== 0) {
      if ((step & REFUSES) !== 0) return -1;
      target[length++] = step;
    }
    state = step >>> NEXT_SHIFT;
  }
  return PADDING[state] === 1 ? length : -1;
}

/** How many octets the encoding of a Latin-1 string takes. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 255] as number;
  return (bits + 7) >>> 3;
}

/** Encodes a Latin-1 string at `at` and answers the index after it. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i) & 255;
    const code = CODES[octet] as number;
    let length = LENGTHS[octet] as number;
    // At most 7 bits are pending; a code over 24 bits would overflow 32, so its top goes first.
    if (length > 24) {
      length -= 16;
      pending = (pending << 16) | (code >>> length);
      target[at++] = pending >>> (bits + 8);
      target[at++] = pending >>> bits;
      pending &= (1 << bits) - 1;
    }
    pending = (pending << length) | (code & ((1 << length) - 1));
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      target[at++] = pending >>> bits;
    }
    pending &= (1 << bits) - 1;
  }
  if (bits > 0) target[at++] = (pending << (8 - bits)) | (255 >>> bits);
  return at;
}
