/** What a queued chunk counts beyond its octets: its own bookkeeping. */
const CHUNK_COST = 128;
/** Pieces below this are gathered: each by itself would cost many times its octets. */
const SMALL = 1024;
/** Octets of an array that small pieces are gathered in. */
const GATHER = 2048;
/** A view is copied if it keeps an array alive that is this many times larger. */
const MAX_PINNED = 4;

/**
 * Octets that wait, in order. Pieces come as views of what was read from a socket; small ones are
 * copied together, so that a peer that sends single octets cannot make us keep an object for each,
 * or a whole read for a few octets of it.
 */
export class ChunkQueue {
  /** Octets that wait. */
  octets = 0;
  readonly #chunks: Uint8Array[] = [];
  /** Octets of the first chunk that were taken. */
  #offset = 0;
  /** The array behind the last chunk, if small pieces are gathered in it, and how far it is used. */
  #gather: Uint8Array | undefined;
  #used = 0;

  /** What the queue costs, for a bound on memory. */
  get cost(): number {
    return this.octets + this.#chunks.length * CHUNK_COST;
  }

  /** Adds octets; the caller does not write to them again. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.octets += bytes.length;
    // One piece alone is not worth an array.
    if (bytes.length < SMALL && this.#chunks.length > 0) return this.#gatherIn(bytes);
    this.#gather = undefined;
    const pinned = bytes.buffer.byteLength;
    this.#chunks.push(pinned > MAX_PINNED * bytes.length ? bytes.slice() : bytes);
  }

  /** Moves the first `length` octets to `target` at `at`; there must be as many. */
  take(target: Uint8Array, at: number, length: number): void {
    this.octets -= length;
    while (length > 0) {
      const chunk = this.#chunks[0] as Uint8Array;
      const taken = Math.min(length, chunk.length - this.#offset);
      target.set(chunk.subarray(this.#offset, this.#offset + taken), at);
      at += taken;
      length -= taken;
      this.#offset += taken;
      if (this.#offset === chunk.length) this.#dropFirst();
    }
  }

  /** Empties the queue; what was in it. */
  drain(): Uint8Array[] {
    const [first, ...rest] = this.#chunks;
    const drained = first === undefined ? [] : [first.subarray(this.#offset), ...rest];
    this.clear();
    return drained;
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks.length = 0;
    this.#offset = 0;
    this.#gather = undefined;
    this.octets = 0;
  }

  #gatherIn(bytes: Uint8Array): void {
    if (this.#gather === undefined || GATHER - this.#used < bytes.length) {
      this.#gather = new Uint8Array(GATHER);
      this.#used = 0;
      this.#chunks.push(this.#gather);
    }
    this.#gather.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#chunks[this.#chunks.length - 1] = this.#gather.subarray(0, this.#used);
  }

  #dropFirst(): void {
    this.#chunks.shift();
    this.#offset = 0;
    if (this.#chunks.length === 0) this.#gather = undefined;
  }
}
