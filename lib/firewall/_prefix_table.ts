/**
 * Longest prefix match by binary search over the prefix lengths (Waldvogel, Varghese, Turner,
 * Plattner: "Scalable High Speed IP Routing Lookups", SIGCOMM 1997). One hash table holds every
 * rule, and on the way the search takes to it, markers that say "there is something longer"; each
 * carries the best rule known at its own length, so that the search never has to turn back. A
 * look-up costs at most 6 probes (IPv4) or 8 (IPv6), however many rules there are.
 */
import { type Family, lengthOf, type PackedRules, wordsPer } from "./_packed_rules.ts";

/** A compiled table; all its arrays are shared memory, so every worker reads the same copy. */
export interface PrefixTable {
  readonly rules: PackedRules;
  /** The distinct prefix lengths, ascending. */
  readonly lengths: Uint8Array<SharedArrayBuffer>;
  /** Open addressing; a slot is the words of a prefix and {@link pack}ed length and rule. */
  readonly slots: Int32Array<SharedArrayBuffer>;
  /** By rule: the next less specific rule that covers it, or {@link NO_RULE}. */
  readonly parents: Int32Array<SharedArrayBuffer>;
  readonly seed: number;
}

/** Index meaning "no rule". */
export const NO_RULE = -1;
/** A slot's last word has 24 bits for the rule, and 0 there means none. */
export const MAX_ADDRESS_RULES = 2 ** 24 - 2;
/**
 * Slots looked at for one prefix. At half load 2^24 random prefixes stay below 90; more means that
 * someone chose the prefixes of a block list to collide, and the table is hashed anew.
 */
const MAX_PROBES = 256;

/**
 * Compiles the rules of one family.
 *
 * @throws {RangeError} if there are more than {@link MAX_ADDRESS_RULES}.
 */
export function buildPrefixTable(rules: PackedRules): PrefixTable {
  const count = rules.ids.length;
  if (count > MAX_ADDRESS_RULES) {
    throw new RangeError(
      `cannot compile ${count} IPv${rules.family} rules: over ${MAX_ADDRESS_RULES}`,
    );
  }
  const lengths = distinctLengths(rules);
  const parents = new Int32Array(new SharedArrayBuffer(count * 4));
  const index = new PrefixIndex(rules.family, lengths, emptySlots(rules.family, count), 1);
  for (const rule of ascending(rules)) parents[rule] = index.insert(rules, rule);
  return { rules, lengths, slots: index.slots, parents, seed: index.seed };
}

/** Reads, and while compiling also writes, the hash table of a {@link PrefixTable}. */
export class PrefixIndex {
  readonly #stride: number;
  #slots: Int32Array<SharedArrayBuffer>;
  #seed: number;
  /** Number of slots less 1; the number is a power of two. */
  #mask: number;
  #used = 0;

  constructor(
    family: Family,
    readonly lengths: Uint8Array,
    slots: Int32Array<SharedArrayBuffer>,
    seed: number,
  ) {
    this.#stride = wordsPer(family) + 1;
    this.#slots = slots;
    this.#seed = seed;
    this.#mask = slots.length / this.#stride - 1;
  }

  get slots(): Int32Array<SharedArrayBuffer> {
    return this.#slots;
  }

  get seed(): number {
    return this.#seed;
  }

  /** The most specific rule covering an address (IPv4 in `w0`, the rest 0), or {@link NO_RULE}. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    return this.#search(0, this.lengths.length - 1, w0, w1, w2, w3, NO_RULE);
  }

  /**
   * Adds a rule and the markers that lead to it. Rules come in ascending rank: then the best rule
   * of a marker is final when the marker is written.
   *
   * @returns the next less specific rule covering the added one, or {@link NO_RULE}.
   */
  insert(rules: PackedRules, rule: number): number {
    const at = rule * (this.#stride - 1);
    const wide = this.#stride > 2;
    const w0 = rules.words[at] ?? 0;
    const w1 = wide ? rules.words[at + 1] ?? 0 : 0;
    const w2 = wide ? rules.words[at + 2] ?? 0 : 0;
    const w3 = wide ? rules.words[at + 3] ?? 0 : 0;
    const length = lengthOf(rules.ranks[rule] ?? 0);
    let low = 0;
    let high = this.lengths.length - 1;
    let best = NO_RULE;
    for (;;) {
      const middle = (low + high) >>> 1;
      const reached = this.lengths[middle] ?? 0;
      if (reached > length) {
        high = middle - 1;
        continue;
      }
      const entry = this.#get(reached, w0, w1, w2, w3);
      if (entry !== 0) best = ruleOf(entry);
      else best = this.#search(low, middle - 1, w0, w1, w2, w3, best);
      if (reached === length) {
        this.#put(rule, length, w0, w1, w2, w3);
        return best;
      }
      if (entry === 0) this.#put(best, reached, w0, w1, w2, w3);
      low = middle + 1;
    }
  }

  /** Searches the lengths from index `low` to `high`; `best` is what shorter ones gave. */
  #search(
    low: number,
    high: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    best: number,
  ): number {
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#get(this.lengths[middle] as number, w0, w1, w2, w3);
      if (entry === 0) {
        high = middle - 1;
      } else {
        best = ruleOf(entry);
        low = middle + 1;
      }
    }
    return best;
  }

  /** The last word of the slot of an address's prefix, or 0. */
  #get(length: number, w0: number, w1: number, w2: number, w3: number): number {
    return this.#slots[this.#slotOf(length, w0, w1, w2, w3) + this.#stride - 1] as number;
  }

  /** Where the slot of an address's prefix starts, or the empty slot where it would. */
  #slotOf(length: number, w0: number, w1: number, w2: number, w3: number): number {
    const slots = this.#slots;
    const stride = this.#stride;
    const p0 = w0 & leadingOnes(length);
    const p1 = w1 & leadingOnes(length - 32);
    const p2 = w2 & leadingOnes(length - 64);
    const p3 = w3 & leadingOnes(length - 96);
    let number = hash(this.#seed + length, p0, p1, p2, p3) & this.#mask;
    // Ends: at most half of the slots are used.
    for (;;) {
      const at = number * stride;
      const meta = slots[at + stride - 1] as number;
      if (meta === 0) return at;
      if (
        (meta & 0xff) === length && slots[at] === p0 &&
        (stride === 2 || slots[at + 1] === p1 && slots[at + 2] === p2 && slots[at + 3] === p3)
      ) return at;
      number = (number + 1) & this.#mask;
    }
  }

  #put(rule: number, length: number, w0: number, w1: number, w2: number, w3: number): void {
    const at = this.#slotOf(length, w0, w1, w2, w3);
    const isNew = this.#slots[at + this.#stride - 1] === 0;
    this.#write(at, pack(rule, length), w0, w1, w2, w3);
    if (!isNew) return;
    if (++this.#used * 2 > this.#mask + 1) this.#rehash((this.#mask + 1) * 2);
    else if (this.#probesTo(at) > MAX_PROBES) this.#rehash(this.#mask + 1);
  }

  #write(at: number, meta: number, w0: number, w1: number, w2: number, w3: number): void {
    const length = meta & 0xff;
    this.#slots[at] = w0 & leadingOnes(length);
    if (this.#stride > 2) {
      this.#slots[at + 1] = w1 & leadingOnes(length - 32);
      this.#slots[at + 2] = w2 & leadingOnes(length - 64);
      this.#slots[at + 3] = w3 & leadingOnes(length - 96);
    }
    this.#slots[at + this.#stride - 1] = meta;
  }

  /** How many slots a look-up of the prefix in the slot at `at` passes over. */
  #probesTo(at: number): number {
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, meta = 0] = this.#read(this.#slots, at);
    const home = hash(this.#seed + (meta & 0xff), w0, w1, w2, w3) & this.#mask;
    return (at / this.#stride - home) & this.#mask;
  }

  #read(slots: Int32Array, at: number): number[] {
    const meta = slots[at + this.#stride - 1] ?? 0;
    if (this.#stride === 2) return [slots[at] ?? 0, 0, 0, 0, meta];
    return [slots[at] ?? 0, slots[at + 1] ?? 0, slots[at + 2] ?? 0, slots[at + 3] ?? 0, meta];
  }

  /** Moves every slot to a new array, under a new seed, until no prefix is too far from home. */
  #rehash(capacity: number): void {
    const old = this.#slots;
    this.#mask = capacity - 1;
    do {
      this.#seed++;
      this.#slots = new Int32Array(new SharedArrayBuffer(capacity * this.#stride * 4));
    } while (!this.#fill(old));
  }

  #fill(old: Int32Array): boolean {
    for (let from = 0; from < old.length; from += this.#stride) {
      const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, meta = 0] = this.#read(old, from);
      if (meta === 0) continue;
      const at = this.#slotOf(meta & 0xff, w0, w1, w2, w3);
      this.#write(at, meta, w0, w1, w2, w3);
      if (this.#probesTo(at) > MAX_PROBES) return false;
    }
    return true;
  }
}

/** The last word of a slot; never 0, because a prefix of length 0 is always a rule's. */
function pack(rule: number, length: number): number {
  return (rule + 1) << 8 | length;
}

function ruleOf(meta: number): number {
  return (meta >>> 8) - 1;
}

/** At least twice as many slots as rules; markers make it grow. */
function emptySlots(family: Family, rules: number): Int32Array<SharedArrayBuffer> {
  let capacity = 2;
  while (capacity < rules * 2) capacity *= 2;
  return new Int32Array(new SharedArrayBuffer(capacity * (wordsPer(family) + 1) * 4));
}

function distinctLengths(rules: PackedRules): Uint8Array<SharedArrayBuffer> {
  const seen = new Set<number>();
  for (const rank of rules.ranks) seen.add(lengthOf(rank));
  const lengths = new Uint8Array(new SharedArrayBuffer(seen.size));
  lengths.set([...seen].sort((a, b) => a - b));
  return lengths;
}

/** The rules by ascending rank, otherwise in their order (a counting sort). */
function ascending(rules: PackedRules): Int32Array {
  const starts = new Int32Array(2 * 128 + 3);
  for (const rank of rules.ranks) starts[rank + 1] = (starts[rank + 1] ?? 0) + 1;
  for (let rank = 1; rank < starts.length; rank++) {
    starts[rank] = (starts[rank] ?? 0) + (starts[rank - 1] ?? 0);
  }
  const order = new Int32Array(rules.ranks.length);
  rules.ranks.forEach((rank, rule) => {
    const at = starts[rank] ?? 0;
    starts[rank] = at + 1;
    order[at] = rule;
  });
  return order;
}

/** A word with `bits` leading ones; shifts by 32 do nothing in JavaScript, hence the ends. */
function leadingOnes(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** MurmurHash3's mixing, which spreads single-bit differences over the whole word. */
function hash(seed: number, w0: number, w1: number, w2: number, w3: number): number {
  let h = mix(Math.imul(seed, 0x9e3779b1), w0);
  if ((w1 | w2 | w3) !== 0) h = mix(mix(mix(h, w1), w2), w3);
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return h ^ h >>> 16;
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul(k << 15 | k >>> 17, 0x1b873593);
  const m = h ^ k;
  return (Math.imul(m << 13 | m >>> 19, 5) + 0xe6546b64) | 0;
}
