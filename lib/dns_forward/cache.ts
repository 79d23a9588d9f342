import type { ForwardLimits } from "./settings.ts";
import type { Reply } from "./reply.ts";

/** RFC 8767 §5, "failure recheck timer". */
const RETRY_STALE_MS = 30_000;
/** Objects, places and the map's own, measured with a million entries and rounded up. */
const ENTRY_OCTETS = 640;
const OCTETS_A_TTL = 8;

/** An answer that is remembered. */
export interface Entry {
  readonly reply: Reply;
  readonly storedAt: number;
  readonly expiresAt: number;
  /** Milliseconds before which a stale answer is given without asking again. */
  retryAt: number;
  readonly octets: number;
}

/** Of the cache. */
export interface CacheSize {
  readonly entries: number;
  readonly octets: number;
}

/**
 * Answers by question, those that were used last kept longest. Bounded in number and in octets; what
 * ended stays for a while, as it is better than nothing (RFC 8767).
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limits: ForwardLimits;
  #octets = 0;

  constructor(limits: ForwardLimits) {
    this.#limits = limits;
  }

  get size(): CacheSize {
    return { entries: this.#entries.size, octets: this.#octets };
  }

  /** What is known, be it stale; not what ended too long ago. */
  get(key: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (nowMs >= entry.expiresAt + this.#limits.staleSeconds * 1000) {
      this.#octets -= entry.octets;
      return undefined;
    }
    this.#entries.set(key, entry); // The oldest first: it goes first.
    return entry;
  }

  /** Remembers an answer, if it may be. */
  set(key: string, reply: Reply, nowMs: number): void {
    this.#remove(key);
    if (reply.ttl <= 0) return;
    const octets = ENTRY_OCTETS + key.length + reply.octets.length +
      OCTETS_A_TTL * reply.ttlPlaces.length;
    if (octets > this.#limits.cacheOctets) return;
    const expiresAt = nowMs + reply.ttl * 1000;
    this.#entries.set(key, { reply, storedAt: nowMs, expiresAt, retryAt: 0, octets });
    this.#octets += octets;
    while (
      this.#entries.size > this.#limits.cacheEntries || this.#octets > this.#limits.cacheOctets
    ) this.#remove(this.#entries.keys().next().value as string);
  }

  /** Whoever is asked for a stale answer does not answer: for a while nobody asks again. */
  noteFailure(key: string, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.retryAt = nowMs + RETRY_STALE_MS;
  }

  /** Forgets everything, or what is kept under names that `isMeant`. */
  forget(isMeant: (key: string) => boolean = () => true): number {
    const keys = [...this.#entries.keys()].filter(isMeant);
    for (const key of keys) this.#remove(key);
    return keys.length;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#octets -= entry.octets;
    this.#entries.delete(key);
  }
}
