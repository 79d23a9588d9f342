import { halfSipHash, type TwoKeys } from "./_half_siphash.ts";
import type { SourceWords } from "./_source.ts";

/** Slots of a set, the only places one source can be in: 64 octets, one cache line. */
export const WAYS = 8;
/** Words before the slots; 64 octets keep the sets aligned. */
const HEADER_WORDS = 16;
const HEADER_BYTES = HEADER_WORDS * 4;
/** Words of the header: what it is, the window (ms), the key (4), then what proxies of a group share. */
const WINDOW = 1;
const KEY = 2;
/** Sources that a ring behind the slots has room for; 0: there is none. */
const NOTES = 6;
/** A source with so many connections is noted; 0: none is. */
const NOTED_AT = 7;
/** Notes that were ever written, modulo 2^32. */
const WRITTEN = 8;
/** The limit is divided by so many; 0: by none. */
const SHARES = 9;
/** Two words of the source, its kind, and the number of the note, which says that it is whole. */
const NOTE_WORDS = 4;
/** "RLM1". */
const MAGIC = 0x524c4d31;
/** A clock of 28 bits, so that a slot (tag 20, start 28, count 16) is one 64-bit word. */
const CLOCK = 2 ** 28;
/** Ticks of a window at most: the clock comes round only after 4,096 windows. */
const MAX_WINDOW_TICKS = 2 ** 16;
/**
 * Tries to change a slot. Each failure means that another worker succeeded, so that only a flood
 * from this one source gets there, and it is refused.
 */
const MAX_ATTEMPTS = 1000;
const MAX_COUNT = 0xffff;
const MAX_NOTES = 4096;

/** An open window of a source. */
export interface OpenWindow {
  readonly count: number;
  /** Tells it from the windows before and after. */
  readonly start: number;
  readonly endsInMs: number;
}

/** Memory for the slots of so many sources and so many notes. */
export function allocateSlots(
  { key, windowMs, maxSources, notes }: {
    readonly key: Uint32Array;
    readonly windowMs: number;
    readonly maxSources: number;
    readonly notes: number;
  },
): SharedArrayBuffer {
  const bytes = HEADER_BYTES + maxSources * 8 + notes * NOTE_WORDS * 4;
  const buffer = new SharedArrayBuffer(bytes);
  new Uint32Array(buffer, 0, HEADER_WORDS).set([MAGIC, windowMs, ...key, notes]);
  return buffer;
}

/** Windows of sources in shared memory. Lock-free: a worker that dies leaves nothing others wait for. */
export class RateSlots {
  readonly tickMs: number;
  readonly #windowTicks: number;
  readonly #keys: TwoKeys;
  readonly #header: Uint32Array;
  readonly #slots: BigUint64Array;
  /** The same slots: the low word (start's low 16 bits, count), then the high one (tag, start). */
  readonly #halves: Uint32Array;
  readonly #setMask: number;
  readonly #notes: Uint32Array;

  /** @throws {RangeError} if it is the memory of something else, or of another window. */
  constructor(buffer: SharedArrayBuffer, windowMs: number) {
    const header = this.#header = new Uint32Array(buffer, 0, HEADER_WORDS);
    if (header[0] !== MAGIC || header[WINDOW] !== windowMs) {
      throw new RangeError(`the buffer is not that of a rate limiter with a ${windowMs} ms window`);
    }
    this.tickMs = Math.ceil(windowMs / MAX_WINDOW_TICKS);
    this.#windowTicks = Math.ceil(windowMs / this.tickMs);
    this.#keys = [...header.subarray(KEY, KEY + 4)] as unknown as TwoKeys;
    const notes = header[NOTES] as number;
    const sources = (buffer.byteLength - HEADER_BYTES - notes * NOTE_WORDS * 4) / 8;
    // Every thread can write there: what is read is not what was written until it is looked at.
    if (notes > MAX_NOTES || sources < WAYS || !Number.isInteger(Math.log2(sources))) {
      throw new RangeError("the buffer of a rate limiter says to be of another size");
    }
    this.#slots = new BigUint64Array(buffer, HEADER_BYTES, sources);
    this.#halves = new Uint32Array(buffer, HEADER_BYTES, sources * 2);
    this.#notes = new Uint32Array(buffer, HEADER_BYTES + sources * 8, notes * NOTE_WORDS);
    this.#setMask = sources / WAYS - 1;
  }

  /** The part of a limit that holds here. */
  limitOf(limit: number): number {
    const shares = this.#header[SHARES] as number;
    return shares > 1 ? Math.ceil(limit / shares) : limit;
  }

  /** Admits one more, unless there are as many as may be. */
  admit(source: SourceWords, limit: number, nowMs: number): boolean {
    const { tag, first } = this.#place(source);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const slot = this.#find(first, tag);
      const count = slot < 0
        ? this.#claim({ first, tag, count: 1 }, nowMs)
        : this.#count(slot, { tag, limit, nowMs });
      if (count === undefined) continue;
      if (count > 0 && count === this.#header[NOTED_AT]) this.#note(source);
      return count > 0;
    }
    return false;
  }

  /** The window of a source; nothing: none is open. */
  look(source: SourceWords, nowMs: number): OpenWindow | undefined {
    const { tag, first } = this.#place(source);
    const slot = this.#find(first, tag);
    return slot < 0 ? undefined : this.#windowOf(Atomics.load(this.#slots, slot), tag, nowMs);
  }

  /**
   * Adds connections that were admitted elsewhere to a source's window, which opens if none is open, and
   * has it end no earlier than `endsInMs` from now, a window's length at most. The window then.
   */
  charge(
    source: SourceWords,
    { count, endsInMs = 0 }: { readonly count: number; readonly endsInMs?: number },
    nowMs: number,
  ): OpenWindow | undefined {
    const { tag, first } = this.#place(source);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const slot = this.#find(first, tag);
      const changed = slot < 0
        ? count === 0 ? 0 : this.#claim({ first, tag, count: Math.min(count, MAX_COUNT) }, nowMs)
        : this.#add(slot, { tag, count, endsInMs, nowMs });
      if (changed !== undefined) return this.look(source, nowMs);
    }
    return undefined;
  }

  /** Has sources noted that have so many connections, and limits divided; 0: neither. */
  share({ notedAt, shares }: { readonly notedAt: number; readonly shares: number }): void {
    this.#header[NOTED_AT] = notedAt;
    this.#header[SHARES] = shares;
  }

  /** Sources that were noted after the first `from` notes, and how many notes there are. */
  notesFrom(from: number): { readonly sources: SourceWords[]; readonly written: number } {
    const room = this.#notes.length / NOTE_WORDS;
    const written = Atomics.load(this.#header, WRITTEN);
    const sources: SourceWords[] = [];
    // Those that were overwritten are lost.
    for (let left = Math.min(written - from >>> 0, room); left > 0; left--) {
      const number = written - left >>> 0;
      const at = number % room * NOTE_WORDS;
      const [w0 = 0, w1 = 0, kind = 0, said] = this.#notes.subarray(at, at + NOTE_WORDS);
      if (said === number + 1 >>> 0) sources.push({ w0: w0 | 0, w1: w1 | 0, kind });
    }
    return { sources, written };
  }

  #note({ w0, w1, kind }: SourceWords): void {
    const room = this.#notes.length / NOTE_WORDS;
    if (room === 0) return;
    const number = Atomics.add(this.#header, WRITTEN, 1);
    const at = number % room * NOTE_WORDS;
    this.#notes[at] = w0;
    this.#notes[at + 1] = w1;
    this.#notes[at + 2] = kind;
    Atomics.store(this.#notes, at + 3, number + 1);
  }

  /** Where a source can be, and how it is known there. */
  #place({ w0, w1, kind }: SourceWords): { readonly tag: number; readonly first: number } {
    const [k0, k1, k2, k3] = this.#keys;
    const tag = halfSipHash(k0, k1, w0, w1, kind) >>> 12;
    const first = (halfSipHash(k2, k3, w0, w1, kind) & this.#setMask) * WAYS;
    return { tag, first };
  }

  /** The source's slot, or −1. If two workers ever claimed two, the first counts for both. */
  #find(first: number, tag: number): number {
    for (let slot = first; slot < first + WAYS; slot++) {
      const high = Atomics.load(this.#halves, slot * 2 + 1);
      if (high >>> 12 === tag && this.#slots[slot] !== 0n) return slot;
    }
    return -1;
  }

  #windowOf(word: bigint, tag: number, nowMs: number): OpenWindow | undefined {
    const high = Number(word >> 32n);
    const low = Number(word & 0xffffffffn);
    const age = word === 0n || high >>> 12 !== tag ? CLOCK : this.#age(high, low, nowMs);
    if (age >= this.#windowTicks) return undefined;
    const start = (high & 0xfff) << 16 | low >>> 16;
    return { count: low & MAX_COUNT, start, endsInMs: (this.#windowTicks - age) * this.tickMs };
  }

  /**
   * Counts one more in a slot, or opens its next window: how many there are then, 0 if that is too many;
   * `undefined` if it changed meanwhile.
   */
  #count(
    slot: number,
    { tag, limit, nowMs }: { readonly tag: number; readonly limit: number; readonly nowMs: number },
  ): number | undefined {
    const word = Atomics.load(this.#slots, slot);
    const high = Number(word >> 32n);
    const low = Number(word & 0xffffffffn);
    if (high >>> 12 !== tag || word === 0n) return undefined;
    const age = this.#age(high, low, nowMs);
    if (age < this.#windowTicks && (low & MAX_COUNT) >= limit) return 0;
    const count = age < this.#windowTicks ? (low & MAX_COUNT) + 1 : 1;
    const next = count > 1 ? word + 1n : this.#opened(tag, nowMs, 1);
    return Atomics.compareExchange(this.#slots, slot, word, next) === word ? count : undefined;
  }

  /** Adds to a slot; the same as {@link charge} does to a source. */
  #add(
    slot: number,
    { tag, count, endsInMs, nowMs }: {
      readonly tag: number;
      readonly count: number;
      readonly endsInMs: number;
      readonly nowMs: number;
    },
  ): number | undefined {
    const word = Atomics.load(this.#slots, slot);
    if (Number(word >> 44n) !== tag || word === 0n) return undefined;
    const open = this.#windowOf(word, tag, nowMs);
    if (open === undefined && count === 0) return 0;
    const sum = Math.min((open?.count ?? 0) + count, MAX_COUNT);
    const isLater = open !== undefined && endsInMs > open.endsInMs;
    const atMs = isLater ? nowMs - Math.max(0, this.#windowTicks * this.tickMs - endsInMs) : nowMs;
    const next = open === undefined || isLater
      ? this.#opened(tag, atMs, sum)
      : word + BigInt(sum - open.count);
    return Atomics.compareExchange(this.#slots, slot, word, next) === word ? sum : undefined;
  }

  /** Takes a free slot or that of the oldest window; `undefined` if it changed meanwhile. */
  #claim(
    { first, tag, count }: {
      readonly first: number;
      readonly tag: number;
      readonly count: number;
    },
    nowMs: number,
  ): number | undefined {
    let oldest = first;
    let oldestAge = -1;
    let word = 0n;
    for (let slot = first; slot < first + WAYS; slot++) {
      const candidate = Atomics.load(this.#slots, slot);
      const high = Number(candidate >> 32n);
      const age = candidate === 0n
        ? CLOCK + 1
        : this.#age(high, Number(candidate & 0xffffffffn), nowMs);
      if (candidate !== 0n && high >>> 12 === tag) return undefined;
      if (age <= oldestAge) continue;
      oldest = slot;
      oldestAge = age;
      word = candidate;
    }
    const next = this.#opened(tag, nowMs, count);
    return Atomics.compareExchange(this.#slots, oldest, word, next) === word ? count : undefined;
  }

  /** Ticks since a window opened, never more than have passed; {@link CLOCK} for the distant past. */
  #age(high: number, low: number, nowMs: number): number {
    const start = (high & 0xfff) << 16 | low >>> 16;
    const age = (Math.floor(nowMs / this.tickMs) - start) % CLOCK;
    const passed = age < 0 ? age + CLOCK : age;
    if (passed < CLOCK / 2) return passed;
    // In the future: by less than a window it opened just now, by the clock of another worker.
    return CLOCK - passed <= this.#windowTicks ? 0 : CLOCK;
  }

  /** A slot whose window opens then with so many; rounded up, so that it never ends early. */
  #opened(tag: number, nowMs: number, count: number): bigint {
    const start = Math.ceil(nowMs / this.tickMs) % CLOCK;
    const high = (tag << 12 | start >>> 16) >>> 0;
    const low = ((start & 0xffff) << 16 | count) >>> 0;
    return BigInt(high) << 32n | BigInt(low);
  }
}
