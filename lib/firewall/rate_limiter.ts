import type { IpAddress } from "../addr/mod.ts";
import { halfSipHash, type TwoKeys } from "./_half_siphash.ts";
import {
  checkPrefix,
  DEFAULT_IPV6_PREFIX,
  SITE_PREFIX,
  type SourceWords,
  sourceWords,
} from "./_source.ts";

/** Connections per window that a slot's counter can hold. */
export const MAX_RATE_LIMIT = 0xffff;
/** Sources remembered at once by default: 2 MiB. */
const DEFAULT_MAX_SOURCES = 2 ** 18;
/** Slots of a set, the only places one source can be in: 64 octets, one cache line. */
const WAYS = 8;
/** Words before the slots: magic, window (ms), key (4 words); 64 octets keep the sets aligned. */
const HEADER_WORDS = 16;
const HEADER_BYTES = HEADER_WORDS * 4;
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

/** Limits connections per source address over all workers. */
export interface RateLimiter {
  /**
   * Whether to admit one more connection. `nowMs` comes from one clock for all workers, as
   * `Date.now()` is.
   */
  admit(ip: IpAddress, nowMs: number): boolean;
  /**
   * What {@link admit} would count one more against: the fuller of the source's own limit and that of
   * its site. Counts nothing.
   */
  look(ip: IpAddress, nowMs: number): RateLook;
  /** What the limiters of all workers share; pass it to {@link createRateLimiter} there. */
  readonly buffer: SharedArrayBuffer;
}

/** How far a source is in its window. */
export interface RateLook {
  /** Connections that were admitted in the window that is open. */
  readonly count: number;
  readonly limit: number;
  /** Until the window ends; 0: none is open. */
  readonly endsInMs: number;
}

/** Either a key for a new buffer or the buffer of another limiter with the same window. */
export type RateLimiterOptions =
  & {
    /** Connections per window and source, 0–65,535; 0 admits everything. */
    readonly limit: number;
    /** ≥ 1, integer. */
    readonly windowMs: number;
    /** What counts as one source of IPv6, 32–64 bits. Default: 64. */
    readonly ipv6Prefix?: number;
    /**
     * How many times `limit` all sources of one IPv6 /48 may do together, if their prefix is longer.
     * Default: 0, any number.
     */
    readonly siteFactor?: number;
  }
  & ({
    /** Four random words, so that nobody can compute which sources share a slot. */
    readonly key: Uint32Array;
    /** A power of two ≥ 8; every source takes 8 octets. Default: 262,144. */
    readonly maxSources?: number;
    readonly buffer?: undefined;
  } | { readonly buffer: SharedArrayBuffer });

/**
 * Creates a limiter of connections per source: an IPv4 address, or an IPv6 prefix, by default the /64
 * that one customer gets. Whoever has a /48 has 65,536 of those: a second, wider allowance counts
 * all connections of a /48 that the first one admits. A source's window opens with its first admitted connection; of the connections in
 * the next `windowMs` at most `limit` are admitted, over all workers together; the first one after
 * that opens the next window. (So some span of `windowMs` may hold the end of one window and the
 * start of the next, and 2 × `limit` − 1 connections.) Refused connections do not count.
 *
 * Memory is fixed and a decision looks at 8 slots. When all are taken by open windows, the oldest
 * is forgotten: its source starts anew. An attacker with many addresses can thus make the limiter
 * forget, which needs more sources than it holds, but can neither make it refuse others nor aim at
 * one, because places depend on the key. Two sources share a slot with a chance of at most 2^-17.
 *
 * A clock that jumps back by less than a window prolongs open windows by the jump; one that jumps
 * back by more ends them. No jump blocks a source for longer than two windows.
 *
 * @throws {RangeError} if an option is out of range or the buffer belongs to another window.
 *
 * @example
 * ```ts
 * import { createRateLimiter } from "./mod.ts";
 * import { parseIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const key = crypto.getRandomValues(new Uint32Array(4));
 * const limiter = createRateLimiter({ limit: 2, windowMs: 10_000, key });
 * const ip = parseIp("192.0.2.1");
 * assert(ip.ok);
 * assert.deepEqual([0, 1, 2, 10_000].map((now) => limiter.admit(ip.value, now)), [
 *   true,
 *   true,
 *   false,
 *   true,
 * ]);
 * ```
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { limit, windowMs, ipv6Prefix = DEFAULT_IPV6_PREFIX, siteFactor = 0 } = options;
  if (!Number.isInteger(limit) || limit < 0 || limit > MAX_RATE_LIMIT) {
    throw new RangeError(`cannot limit to ${limit} connections: not in 0–${MAX_RATE_LIMIT}`);
  }
  if (!Number.isInteger(windowMs) || windowMs < 1 || windowMs > 0xffffffff) {
    throw new RangeError(`cannot limit per ${windowMs} ms: not an integer in 1–${0xffffffff}`);
  }
  const buffer = options.buffer ?? allocate(options.key, windowMs, options.maxSources);
  const siteLimit = Math.min(limit * siteFactor, MAX_RATE_LIMIT);
  const settings = { limit, windowMs, ipv6Prefix: checkPrefix(ipv6Prefix), siteLimit };
  return new SharedRateLimiter(buffer, settings);
}

function allocate(
  key: Uint32Array,
  windowMs: number,
  maxSources = DEFAULT_MAX_SOURCES,
): SharedArrayBuffer {
  if (key.length !== 4) throw new RangeError(`a key has 4 words, not ${key.length}`);
  if (maxSources < WAYS || maxSources > 2 ** 26 || !Number.isInteger(Math.log2(maxSources))) {
    throw new RangeError(`cannot hold ${maxSources} sources: not a power of two in 8–2^26`);
  }
  const buffer = new SharedArrayBuffer(HEADER_BYTES + maxSources * 8);
  new Uint32Array(buffer, 0, HEADER_WORDS).set([MAGIC, windowMs, ...key]);
  return buffer;
}

/** Lock-free: a worker that dies at any point leaves nothing that others wait for. */
class SharedRateLimiter implements RateLimiter {
  readonly #limit: number;
  readonly #ipv6Prefix: number;
  /** Of a /48; 0: none. */
  readonly #siteLimit: number;
  readonly #tickMs: number;
  readonly #windowTicks: number;
  readonly #keys: TwoKeys;
  readonly #slots: BigUint64Array;
  /** The same slots: the low word (start's low 16 bits, count), then the high one (tag, start). */
  readonly #halves: Uint32Array;
  readonly #setMask: number;

  constructor(
    readonly buffer: SharedArrayBuffer,
    { limit, windowMs, ipv6Prefix, siteLimit }: {
      readonly limit: number;
      readonly windowMs: number;
      readonly ipv6Prefix: number;
      readonly siteLimit: number;
    },
  ) {
    const header = [...new Uint32Array(buffer, 0, HEADER_WORDS)];
    const [magic, window, ...keys] = header as [number, number, ...TwoKeys];
    if (magic !== MAGIC || window !== windowMs) {
      throw new RangeError(`the buffer is not that of a rate limiter with a ${windowMs} ms window`);
    }
    this.#limit = limit;
    this.#ipv6Prefix = ipv6Prefix;
    this.#siteLimit = ipv6Prefix > SITE_PREFIX ? siteLimit : 0;
    this.#tickMs = Math.ceil(windowMs / MAX_WINDOW_TICKS);
    this.#windowTicks = Math.ceil(windowMs / this.#tickMs);
    this.#keys = keys;
    this.#slots = new BigUint64Array(buffer, HEADER_BYTES);
    this.#halves = new Uint32Array(buffer, HEADER_BYTES);
    this.#setMask = this.#slots.length / WAYS - 1;
  }

  admit(ip: IpAddress, nowMs: number): boolean {
    if (this.#limit === 0) return true;
    if (!this.#admitOne(sourceWords(ip, this.#ipv6Prefix), this.#limit, nowMs)) return false;
    // In this order: one customer that is over his own limit must not use up that of his site.
    if (ip.family === 4 || this.#siteLimit === 0) return true;
    return this.#admitOne(sourceWords(ip, SITE_PREFIX), this.#siteLimit, nowMs);
  }

  look(ip: IpAddress, nowMs: number): RateLook {
    const own = this.#lookAt(sourceWords(ip, this.#ipv6Prefix), this.#limit, nowMs);
    if (ip.family === 4 || this.#siteLimit === 0 || own.count >= own.limit) return own;
    const site = this.#lookAt(sourceWords(ip, SITE_PREFIX), this.#siteLimit, nowMs);
    return site.count >= site.limit ? site : own;
  }

  #lookAt(source: SourceWords, limit: number, nowMs: number): RateLook {
    const { tag, first } = this.#place(source);
    const slot = this.#find(first, tag);
    const word = slot < 0 ? 0n : Atomics.load(this.#slots, slot);
    const high = Number(word >> 32n);
    const low = Number(word & 0xffffffffn);
    const age = word === 0n || high >>> 12 !== tag ? CLOCK : this.#age(high, low, nowMs);
    if (age >= this.#windowTicks) return { count: 0, limit, endsInMs: 0 };
    const endsInMs = (this.#windowTicks - age) * this.#tickMs;
    return { count: low & 0xffff, limit, endsInMs };
  }

  /** Where a source can be, and how it is known there. */
  #place({ w0, w1, kind }: SourceWords): { readonly tag: number; readonly first: number } {
    const [k0, k1, k2, k3] = this.#keys;
    const tag = halfSipHash(k0, k1, w0, w1, kind) >>> 12;
    const first = (halfSipHash(k2, k3, w0, w1, kind) & this.#setMask) * WAYS;
    return { tag, first };
  }

  #admitOne(source: SourceWords, limit: number, nowMs: number): boolean {
    const { tag, first } = this.#place(source);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const slot = this.#find(first, tag);
      const admitted = slot < 0
        ? this.#claim(first, tag, nowMs)
        : this.#count(slot, { tag, limit, nowMs });
      if (admitted !== undefined) return admitted;
    }
    return false;
  }

  /** The source's slot, or −1. If two workers ever claimed two, the first counts for both. */
  #find(first: number, tag: number): number {
    for (let slot = first; slot < first + WAYS; slot++) {
      const high = Atomics.load(this.#halves, slot * 2 + 1);
      if (high >>> 12 === tag && this.#slots[slot] !== 0n) return slot;
    }
    return -1;
  }

  /** Counts one more in a slot, or opens its next window; `undefined` if it changed meanwhile. */
  #count(
    slot: number,
    { tag, limit, nowMs }: { readonly tag: number; readonly limit: number; readonly nowMs: number },
  ): boolean | undefined {
    const word = Atomics.load(this.#slots, slot);
    const high = Number(word >> 32n);
    const low = Number(word & 0xffffffffn);
    if (high >>> 12 !== tag || word === 0n) return undefined;
    const age = this.#age(high, low, nowMs);
    if (age < this.#windowTicks && (low & 0xffff) >= limit) return false;
    const next = age < this.#windowTicks ? word + 1n : this.#opened(tag, nowMs);
    return Atomics.compareExchange(this.#slots, slot, word, next) === word ? true : undefined;
  }

  /** Takes a free slot or that of the oldest window; `undefined` if it changed meanwhile. */
  #claim(first: number, tag: number, nowMs: number): boolean | undefined {
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
    const next = this.#opened(tag, nowMs);
    return Atomics.compareExchange(this.#slots, oldest, word, next) === word ? true : undefined;
  }

  /** Ticks since a window opened, never more than have passed; {@link CLOCK} for the distant past. */
  #age(high: number, low: number, nowMs: number): number {
    const start = (high & 0xfff) << 16 | low >>> 16;
    const age = (Math.floor(nowMs / this.#tickMs) - start) % CLOCK;
    const passed = age < 0 ? age + CLOCK : age;
    if (passed < CLOCK / 2) return passed;
    // In the future: by less than a window it opened just now, by the clock of another worker.
    return CLOCK - passed <= this.#windowTicks ? 0 : CLOCK;
  }

  /** A slot whose window opens now with one connection; rounded up, so that it never ends early. */
  #opened(tag: number, nowMs: number): bigint {
    const start = Math.ceil(nowMs / this.#tickMs) % CLOCK;
    const high = (tag << 12 | start >>> 16) >>> 0;
    const low = ((start & 0xffff) << 16 | 1) >>> 0;
    return BigInt(high) << 32n | BigInt(low);
  }
}
