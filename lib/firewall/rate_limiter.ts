import type { IpAddress } from "../addr/mod.ts";
import { allocateSlots, RateSlots, WAYS } from "./_rate_slots.ts";
import { checkPrefix, DEFAULT_IPV6_PREFIX, SITE_PREFIX, sourceWords } from "./_source.ts";

/** Connections per window that a slot's counter can hold. */
export const MAX_RATE_LIMIT = 0xffff;
/** Sources remembered at once by default: 2 MiB. */
const DEFAULT_MAX_SOURCES = 2 ** 18;
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
    /** Sources that can be noted for a {@link RateLedger} until it reads them. Default: 0. */
    readonly notes?: number;
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
  const buffer = options.buffer ?? allocate(options);
  const siteLimit = Math.min(limit * siteFactor, MAX_RATE_LIMIT);
  const settings = { limit, windowMs, ipv6Prefix: checkPrefix(ipv6Prefix), siteLimit };
  return new SharedRateLimiter(buffer, settings);
}

function allocate(
  { key, windowMs, maxSources = DEFAULT_MAX_SOURCES, notes = 0 }: {
    readonly key: Uint32Array;
    readonly windowMs: number;
    readonly maxSources?: number;
    readonly notes?: number;
  },
): SharedArrayBuffer {
  if (key.length !== 4) throw new RangeError(`a key has 4 words, not ${key.length}`);
  if (maxSources < WAYS || maxSources > 2 ** 26 || !Number.isInteger(Math.log2(maxSources))) {
    throw new RangeError(`cannot hold ${maxSources} sources: not a power of two in 8–2^26`);
  }
  return allocateSlots({ key, windowMs, maxSources, notes });
}

class SharedRateLimiter implements RateLimiter {
  readonly #limit: number;
  readonly #ipv6Prefix: number;
  /** Of a /48; 0: none. */
  readonly #siteLimit: number;
  readonly #slots: RateSlots;

  constructor(
    readonly buffer: SharedArrayBuffer,
    { limit, windowMs, ipv6Prefix, siteLimit }: {
      readonly limit: number;
      readonly windowMs: number;
      readonly ipv6Prefix: number;
      readonly siteLimit: number;
    },
  ) {
    this.#slots = new RateSlots(buffer, windowMs);
    this.#limit = limit;
    this.#ipv6Prefix = ipv6Prefix;
    this.#siteLimit = ipv6Prefix > SITE_PREFIX ? siteLimit : 0;
  }

  admit(ip: IpAddress, nowMs: number): boolean {
    if (this.#limit === 0) return true;
    const slots = this.#slots;
    const own = sourceWords(ip, this.#ipv6Prefix);
    if (!slots.admit(own, slots.limitOf(this.#limit), nowMs)) return false;
    // In this order: one customer that is over his own limit must not use up that of his site.
    if (ip.family === 4 || this.#siteLimit === 0) return true;
    return slots.admit(sourceWords(ip, SITE_PREFIX), slots.limitOf(this.#siteLimit), nowMs);
  }

  look(ip: IpAddress, nowMs: number): RateLook {
    const own = this.#lookAt(ip, this.#ipv6Prefix, this.#limit, nowMs);
    if (ip.family === 4 || this.#siteLimit === 0 || own.count >= own.limit) return own;
    const site = this.#lookAt(ip, SITE_PREFIX, this.#siteLimit, nowMs);
    return site.count >= site.limit ? site : own;
  }

  #lookAt(ip: IpAddress, prefix: number, whole: number, nowMs: number): RateLook {
    const limit = this.#slots.limitOf(whole);
    const open = this.#slots.look(sourceWords(ip, prefix), nowMs);
    if (open === undefined) return { count: 0, limit, endsInMs: 0 };
    return { count: open.count, limit, endsInMs: open.endsInMs };
  }
}
