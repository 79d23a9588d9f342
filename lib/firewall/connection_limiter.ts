import type { IpAddress } from "../addr/mod.ts";
import { halfSipHash, type TwoKeys } from "./_half_siphash.ts";
import { checkPrefix, DEFAULT_IPV6_PREFIX, sourceWords } from "./_source.ts";

/** Connections that one source may be allowed; a worker counts its own in 16 bits. */
export const MAX_CONNECTIONS_PER_SOURCE = 0xffff;
/** Sources that can have connections at one time, by default: half a MiB, and 128 KiB a worker. */
const DEFAULT_MAX_SOURCES = 2 ** 16;
/** Slots of a set, the only places one source can be in: 64 octets, one cache line. */
const WAYS = 8;
/** Words before the slots: magic, sources, workers, key (4 words); 64 octets keep sets aligned. */
const HEADER_WORDS = 16;
const HEADER_BYTES = HEADER_WORDS * 4;
/** "CLM1". */
const MAGIC = 0x434c4d31;
/** A slot is one 64-bit word: a tag of 44 bits, never 0, and a count of 20. */
const COUNT_BITS = 20n;
const COUNT_MASK = (1n << COUNT_BITS) - 1n;
/** Tries to change a slot; each failure means that another worker succeeded. */
const MAX_ATTEMPTS = 1000;

/** One connection that is counted, until it is given back. */
export interface SourcePermit {
  /** −1: it found no place and is not counted. */
  readonly slot: number;
  readonly tag: bigint;
}

/** Limits how many connections each source has open at one time, over all workers together. */
export interface ConnectionLimiter {
  /** Counts one more for `worker`; `undefined` when the source has as many as it may. */
  acquire(ip: IpAddress, worker: number): SourcePermit | undefined;
  /** Gives one back, once. */
  release(permit: SourcePermit, worker: number): void;
  /** Gives back all that a worker held when it died; called by whoever buries it. */
  releaseAll(worker: number): void;
  /** Connections of a source. */
  count(ip: IpAddress): number;
  /** How many a source may have. */
  readonly limit: number;
  /** What the limiters of all workers share; pass it to {@link createConnectionLimiter} there. */
  readonly buffer: SharedArrayBuffer;
}

/** Either a key for a new buffer, or the buffer of another limiter. */
export type ConnectionLimiterOptions =
  & {
    /** Connections of one source, 1–65,535. */
    readonly limit: number;
    /** What counts as one source of IPv6, 32–64 bits. Default: 64. */
    readonly ipv6Prefix?: number;
  }
  & ({
    /** Four random words, so that nobody can compute which sources share a set. */
    readonly key: Uint32Array;
    /** How many workers there can be; memory that none of them touches costs nothing. */
    readonly workers: number;
    /** A power of two ≥ 8. Default: 65,536. */
    readonly maxSources?: number;
    readonly buffer?: undefined;
  } | { readonly buffer: SharedArrayBuffer });

/**
 * Creates a limiter of open connections per source. Memory is fixed, and a decision looks at 8
 * slots. When all of them hold other sources that have connections open, the connection is admitted
 * uncounted: many addresses can thus escape the limit, which they do anyway, but they can neither
 * make it refuse others nor aim at one, because places depend on the key. Two sources share a count
 * with a chance of at most 2^-41.
 *
 * Lock-free: a worker that dies at any point leaves nothing that others wait for, and what it held
 * is known.
 *
 * @throws {RangeError} if an option is out of range or the buffer is another one's.
 *
 * @example
 * ```ts
 * import { createConnectionLimiter } from "./mod.ts";
 * import { parseIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const key = crypto.getRandomValues(new Uint32Array(4));
 * const limiter = createConnectionLimiter({ limit: 1, key, workers: 1 });
 * const ip = parseIp("192.0.2.1");
 * assert(ip.ok);
 * const permit = limiter.acquire(ip.value, 0);
 * assert(permit !== undefined);
 * assert.equal(limiter.acquire(ip.value, 0), undefined);
 * limiter.release(permit, 0);
 * assert(limiter.acquire(ip.value, 0) !== undefined);
 * ```
 */
export function createConnectionLimiter(options: ConnectionLimiterOptions): ConnectionLimiter {
  const { limit, ipv6Prefix = DEFAULT_IPV6_PREFIX } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CONNECTIONS_PER_SOURCE) {
    const range = `1–${MAX_CONNECTIONS_PER_SOURCE}`;
    throw new RangeError(`cannot limit to ${limit} connections: not in ${range}`);
  }
  const buffer = options.buffer ?? allocate(options);
  return new SharedConnectionLimiter(buffer, limit, checkPrefix(ipv6Prefix));
}

function allocate(
  { key, workers, maxSources = DEFAULT_MAX_SOURCES }: {
    readonly key: Uint32Array;
    readonly workers: number;
    readonly maxSources?: number;
  },
): SharedArrayBuffer {
  if (key.length !== 4) throw new RangeError(`a key has 4 words, not ${key.length}`);
  if (maxSources < WAYS || maxSources > 2 ** 24 || !Number.isInteger(Math.log2(maxSources))) {
    throw new RangeError(`cannot hold ${maxSources} sources: not a power of two in 8–2^24`);
  }
  const buffer = new SharedArrayBuffer(HEADER_BYTES + maxSources * (8 + 2 * workers));
  new Uint32Array(buffer, 0, HEADER_WORDS).set([MAGIC, maxSources, workers, ...key]);
  return buffer;
}

class SharedConnectionLimiter implements ConnectionLimiter {
  readonly #ipv6Prefix: number;
  readonly #keys: TwoKeys;
  readonly #slots: BigUint64Array;
  readonly #setMask: number;
  /** What each worker has taken, by slot; it is the only one that writes there. */
  readonly #held: readonly Uint16Array[];

  constructor(readonly buffer: SharedArrayBuffer, readonly limit: number, ipv6Prefix: number) {
    const header = [...new Uint32Array(buffer, 0, HEADER_WORDS)];
    const [magic, sources, workers, ...keys] = header as [number, number, number, ...TwoKeys];
    if (magic !== MAGIC) throw new RangeError("the buffer is not that of a connection limiter");
    this.#ipv6Prefix = ipv6Prefix;
    this.#keys = keys;
    this.#slots = new BigUint64Array(buffer, HEADER_BYTES, sources);
    this.#setMask = sources / WAYS - 1;
    const held = HEADER_BYTES + sources * 8;
    this.#held = Array.from(
      { length: workers },
      (_, worker) => new Uint16Array(buffer, held + worker * sources * 2, sources),
    );
  }

  acquire(ip: IpAddress, worker: number): SourcePermit | undefined {
    const { tag, first } = this.#place(ip);
    const held = this.#heldBy(worker);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const slot = this.#find(first, tag);
      if (slot < 0) return { slot, tag };
      const word = Atomics.load(this.#slots, slot);
      if (word !== 0n && word >> COUNT_BITS !== tag) continue; // Somebody else took it meanwhile.
      if (Number(word & COUNT_MASK) >= this.limit) return undefined;
      // Noted before it is taken: of a worker that dies in between one too many comes back, which
      // costs the limit one connection. The other way round a source would lose one for good.
      held[slot] = (held[slot] as number) + 1;
      const next = word === 0n ? tag << COUNT_BITS | 1n : word + 1n;
      if (Atomics.compareExchange(this.#slots, slot, word, next) === word) return { slot, tag };
      held[slot] = (held[slot] as number) - 1;
    }
    return undefined;
  }

  release({ slot, tag }: SourcePermit, worker: number): void {
    if (slot < 0) return;
    this.#subtract(slot, 1, tag);
    const held = this.#heldBy(worker);
    held[slot] = Math.max(0, (held[slot] as number) - 1);
  }

  releaseAll(worker: number): void {
    const held = this.#heldBy(worker);
    for (let slot = 0; slot < held.length; slot++) {
      const count = held[slot] as number;
      if (count === 0) continue;
      this.#subtract(slot, count);
      held[slot] = 0;
    }
  }

  count(ip: IpAddress): number {
    const { tag, first } = this.#place(ip);
    const slot = this.#find(first, tag);
    const word = slot < 0 ? 0n : Atomics.load(this.#slots, slot);
    return word >> COUNT_BITS === tag ? Number(word & COUNT_MASK) : 0;
  }

  /** Where a source can be, and how it is known there. */
  #place(ip: IpAddress): { tag: bigint; first: number } {
    const { w0, w1, kind } = sourceWords(ip, this.#ipv6Prefix);
    const [k0, k1, k2, k3] = this.#keys;
    const high = halfSipHash(k0, k1, w0, w1, kind);
    const low = halfSipHash(k2, k3, w0, w1, kind);
    const first = (low & this.#setMask) * WAYS;
    // The low bits choose the set; the lowest of the tag is 1, so that no tag is 0.
    return { tag: BigInt(high) << 12n | BigInt(low >>> 20) | 1n, first };
  }

  /** The slot of a source, or a free one, or −1 when there is neither. */
  #find(first: number, tag: bigint): number {
    let free = -1;
    for (let slot = first; slot < first + WAYS; slot++) {
      const word = Atomics.load(this.#slots, slot);
      if (word >> COUNT_BITS === tag) return slot;
      if (word === 0n && free < 0) free = slot;
    }
    return free;
  }

  /** Takes off a count; a slot without one is free. */
  #subtract(slot: number, count: number, tag?: bigint): void {
    for (;;) {
      const word = Atomics.load(this.#slots, slot);
      // Given back already, by a worker that died just when it took it.
      if (tag !== undefined && word >> COUNT_BITS !== tag) return;
      const left = (word & COUNT_MASK) - BigInt(count);
      const next = left > 0n ? word >> COUNT_BITS << COUNT_BITS | left : 0n;
      if (Atomics.compareExchange(this.#slots, slot, word, next) === word) return;
    }
  }

  #heldBy(worker: number): Uint16Array {
    const held = this.#held[worker];
    if (held === undefined) throw new RangeError(`there is no worker ${worker}`);
    return held;
  }
}
