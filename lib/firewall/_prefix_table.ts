/**
 * Longest prefix match by binary search over the prefix lengths (Waldvogel, Varghese, Turner,
 * Plattner: "Scalable High Speed IP Routing Lookups", SIGCOMM 1997). One hash table holds every
 * rule, and on the way the search takes to it, markers that say "there is something longer"; each
 * carries the best rule known at its own length, so that the search never has to turn back. A
 * look-up costs at most 7 probes (IPv4) or 9 (IPv6), however many rules there are.
 */
import { hash4, hash6 } from "./_prefix_hash.ts";
import { type Family, lengthOf, type PackedRules, wordsPer } from "./_packed_rules.ts";
import { planSearch, type SearchPlan } from "./_search_plan.ts";

/** A compiled table; all its arrays are shared memory, so every worker reads the same copy. */
export interface PrefixTable {
  readonly rules: PackedRules;
  readonly plan: SearchPlan;
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
const MAX_LENGTH = 128;

/**
 * Compiles the rules of one family, a step for each rule.
 *
 * @throws {RangeError} if there are more than {@link MAX_ADDRESS_RULES}.
 */
export function* buildPrefixTable(rules: PackedRules): Generator<undefined, PrefixTable> {
  const count = rules.ids.length;
  if (count > MAX_ADDRESS_RULES) {
    throw new RangeError(
      `cannot compile ${count} IPv${rules.family} rules: over ${MAX_ADDRESS_RULES}`,
    );
  }
  const plan = planSearch(countLengths(rules));
  yield;
  const parents = new Int32Array(new SharedArrayBuffer(count * 4));
  const index = new PrefixIndex(rules.family, { plan, slots: emptySlots(rules), seed: 1 });
  const order = ascending(rules);
  yield;
  for (const rule of order) {
    parents[rule] = index.insert(rules, rule);
    yield;
  }
  return { rules, plan, slots: index.slots, parents, seed: index.seed };
}

/** Reads, and while compiling also writes, the hash table of a {@link PrefixTable}. */
export class PrefixIndex {
  readonly #stride: 2 | 5;
  readonly #plan: SearchPlan;
  #slots: Int32Array<SharedArrayBuffer>;
  #seed: number;
  /** Number of slots less 1; the number is a power of two. */
  #mask: number;
  #used = 0;

  constructor(family: Family, table: Pick<PrefixTable, "plan" | "slots" | "seed">) {
    this.#stride = family === 4 ? 2 : 5;
    this.#plan = table.plan;
    this.#slots = table.slots;
    this.#seed = table.seed;
    this.#mask = table.slots.length / this.#stride - 1;
  }

  get slots(): Int32Array<SharedArrayBuffer> {
    return this.#slots;
  }

  get seed(): number {
    return this.#seed;
  }

  /** The most specific rule covering an address (IPv4 in `w0`, the rest 0), or {@link NO_RULE}. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    return this.#search(this.#plan.lengths.length === 0 ? -1 : 0, NO_RULE, w0, w1, w2, w3);
  }

  /**
   * Adds a rule and the markers that lead to it. Rules come in ascending rank: then the best rule
   * of a marker is final when the marker is written.
   *
   * @returns the next less specific rule covering the added one, or {@link NO_RULE}.
   */
  insert(rules: PackedRules, rule: number): number {
    const { lengths, longer, shorter } = this.#plan;
    const at = rule * (this.#stride - 1);
    const w0 = rules.words[at] as number;
    // Of IPv4 these belong to other rules, and nothing looks at them.
    const w1 = rules.words[at + 1] as number;
    const w2 = rules.words[at + 2] as number;
    const w3 = rules.words[at + 3] as number;
    const length = lengthOf(rules.ranks[rule] as number);
    let best = NO_RULE;
    for (let node = 0;;) {
      const reached = lengths[node] as number;
      if (reached > length) {
        node = shorter[node] as number;
        continue;
      }
      const slot = this.#slotOf(reached, w0, w1, w2, w3);
      const entry = this.#slots[slot + this.#stride - 1] as number;
      if (entry !== 0) best = ruleOf(entry);
      else best = this.#search(shorter[node] as number, best, w0, w1, w2, w3);
      if (reached === length || entry === 0) {
        this.#put(slot, pack(reached === length ? rule : best, reached), w0, w1, w2, w3);
        if (reached === length) return best;
      }
      node = longer[node] as number;
    }
  }

  /** Searches from a node of the plan on; `best` is what shorter lengths gave. */
  #search(
    node: number,
    best: number,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
  ): number {
    const { lengths, longer, shorter } = this.#plan;
    while (node >= 0) {
      const slot = this.#slotOf(lengths[node] as number, w0, w1, w2, w3);
      const entry = this.#slots[slot + this.#stride - 1] as number;
      if (entry === 0) {
        node = shorter[node] as number;
      } else {
        best = ruleOf(entry);
        node = longer[node] as number;
      }
    }
    return best;
  }

  /** Where the slot of an address's prefix starts, or the empty slot where it would. */
  #slotOf(length: number, w0: number, w1: number, w2: number, w3: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const p0 = w0 & leadingOnes(length);
    if (this.#stride === 2) {
      // Ends, as below: at most half of the slots are used.
      for (let slot = hash4(this.#seed + length, p0) & mask;; slot = (slot + 1) & mask) {
        const entry = slots[slot * 2 + 1] as number;
        if (entry === 0 || (entry & 0xff) === length && slots[slot * 2] === p0) return slot * 2;
      }
    }
    const p1 = w1 & leadingOnes(length - 32);
    const p2 = w2 & leadingOnes(length - 64);
    const p3 = w3 & leadingOnes(length - 96);
    for (let slot = hash6(this.#seed + length, p0, p1, p2, p3) & mask;; slot = (slot + 1) & mask) {
      const at = slot * 5;
      const entry = slots[at + 4] as number;
      if (entry === 0) return at;
      if (
        (entry & 0xff) === length && slots[at + 3] === p3 && slots[at + 2] === p2 &&
        slots[at + 1] === p1 && slots[at] === p0
      ) return at;
    }
  }

  /** Writes the slot at `at`, which {@link #slotOf} gave, and keeps half of the slots empty. */
  #put(at: number, entry: number, w0: number, w1: number, w2: number, w3: number): void {
    const isNew = this.#slots[at + this.#stride - 1] === 0;
    this.#write(at, entry, w0, w1, w2, w3);
    if (!isNew) return;
    if (++this.#used * 2 > this.#mask + 1) this.#rehash((this.#mask + 1) * 2);
    else if (this.#probesTo(at) > MAX_PROBES) this.#rehash(this.#mask + 1);
  }

  #write(at: number, entry: number, w0: number, w1: number, w2: number, w3: number): void {
    const length = entry & 0xff;
    this.#slots[at] = w0 & leadingOnes(length);
    if (this.#stride === 5) {
      this.#slots[at + 1] = w1 & leadingOnes(length - 32);
      this.#slots[at + 2] = w2 & leadingOnes(length - 64);
      this.#slots[at + 3] = w3 & leadingOnes(length - 96);
    }
    this.#slots[at + this.#stride - 1] = entry;
  }

  /** How many slots a look-up of the prefix in the slot at `at` passes over. */
  #probesTo(at: number): number {
    const slots = this.#slots;
    const seed = this.#seed + ((slots[at + this.#stride - 1] as number) & 0xff);
    const w0 = slots[at] as number;
    const home = this.#stride === 2
      ? hash4(seed, w0)
      : hash6(seed, w0, slots[at + 1] as number, slots[at + 2] as number, slots[at + 3] as number);
    return (at / this.#stride - home) & this.#mask;
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
    const stride = this.#stride;
    for (let from = 0; from < old.length; from += stride) {
      const entry = old[from + stride - 1] as number;
      if (entry === 0) continue;
      const w0 = old[from] as number;
      const w1 = old[from + 1] as number;
      const w2 = old[from + 2] as number;
      const w3 = old[from + 3] as number;
      const at = this.#slotOf(entry & 0xff, w0, w1, w2, w3);
      this.#write(at, entry, w0, w1, w2, w3);
      if (this.#probesTo(at) > MAX_PROBES) return false;
    }
    return true;
  }
}

/** The last word of a slot; never 0, because a prefix of length 0 is always a rule's. */
function pack(rule: number, length: number): number {
  return (rule + 1) << 8 | length;
}

function ruleOf(entry: number): number {
  return (entry >>> 8) - 1;
}

/** At least twice as many slots as rules; markers make it grow. */
function emptySlots(rules: PackedRules): Int32Array<SharedArrayBuffer> {
  let capacity = 2;
  while (capacity < rules.ids.length * 2) capacity *= 2;
  return new Int32Array(new SharedArrayBuffer(capacity * (wordsPer(rules.family) + 1) * 4));
}

function countLengths(rules: PackedRules): Float64Array {
  const counts = new Float64Array(MAX_LENGTH + 1);
  for (const rank of rules.ranks) counts[lengthOf(rank)] = (counts[lengthOf(rank)] as number) + 1;
  return counts;
}

/** The rules by ascending rank, otherwise in their order (a counting sort). */
function ascending(rules: PackedRules): Int32Array {
  const starts = new Int32Array(2 * MAX_LENGTH + 3);
  for (const rank of rules.ranks) starts[rank + 1] = (starts[rank + 1] as number) + 1;
  for (let rank = 1; rank < starts.length; rank++) {
    starts[rank] = (starts[rank] as number) + (starts[rank - 1] as number);
  }
  const order = new Int32Array(rules.ranks.length);
  rules.ranks.forEach((rank, rule) => {
    const at = starts[rank] as number;
    starts[rank] = at + 1;
    order[at] = rule;
  });
  return order;
}

/** A word with `bits` leading ones; shifts by 32 do nothing in JavaScript, hence the ends. */
function leadingOnes(bits: number): number {
  return bits <= 0 ? 0 : -1 << Math.max(0, 32 - bits);
}
