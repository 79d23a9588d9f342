/** What is read in small pieces is copied in here, one behind the other. */
const ARENA_OCTETS = 64 * 1024;
/** Longer reads get memory of their own: they may wait whole, and must not keep others' alive. */
const MAX_SHARED = 8 * 1024;

/**
 * Memory for what was read. Streams read into the same octets again, but of what a session was given
 * some may wait there; and a piece of memory for each small read costs more than reading it.
 */
export class ReadCopies {
  #arena = new Uint8Array(0);
  #used = 0;

  /** A copy that nobody writes to any more. */
  of(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > MAX_SHARED) return bytes.slice();
    if (this.#used + length > this.#arena.length) {
      this.#arena = new Uint8Array(ARENA_OCTETS);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    const copy = this.#arena.subarray(start, this.#used);
    copy.set(bytes);
    return copy;
  }
}
