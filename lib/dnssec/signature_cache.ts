import type { OctetString } from "../dns/mod.ts";

/** Objects and the map's own, beside the strings themselves. */
const ENTRY_OCTETS = 300;

/** A signature that is remembered. */
export interface CachedSignature {
  readonly data: OctetString;
  /** Seconds since 1970 after which a new one is made. */
  readonly refreshAt: number;
}

/** Signatures by what they sign; bounded in octets, those that were used last kept longest. */
export class SignatureCache {
  readonly #entries = new Map<string, CachedSignature>();
  readonly #most: number;
  #octets = 0;

  constructor(mostOctets: number) {
    this.#most = mostOctets;
  }

  get size(): { readonly entries: number; readonly octets: number } {
    return { entries: this.#entries.size, octets: this.#octets };
  }

  /** One that is good for a while yet. */
  get(key: string, now: number): OctetString | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (now >= entry.refreshAt) {
      this.#octets -= octetsOf(key, entry);
      return undefined;
    }
    this.#entries.set(key, entry); // The oldest first: it goes first.
    return entry.data;
  }

  /** Remembers one. */
  set(key: string, entry: CachedSignature): void {
    this.#remove(key);
    this.#entries.set(key, entry);
    this.#octets += octetsOf(key, entry);
    while (this.#octets > this.#most) {
      const oldest = this.#entries.keys().next();
      if (oldest.done === true) return;
      this.#remove(oldest.value);
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#octets -= octetsOf(key, entry);
    this.#entries.delete(key);
  }
}

function octetsOf(key: string, { data }: CachedSignature): number {
  return ENTRY_OCTETS + key.length + data.length;
}
