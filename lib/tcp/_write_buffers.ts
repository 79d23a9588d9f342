/** Copies of what is written fit into the smallest of these; longer ones get memory of their own. */
const SIZES = [2 * 1024, 16 * 1024, 64 * 1024] as const;
/** Buffers of each size that are kept for reuse, 3 MB together; more are left to the collector. */
const MAX_FREE = 40;

/** Memory that a write reads from. */
export interface WriteBuffer {
  readonly bytes: Uint8Array;
  /** Index of its size. */
  readonly size: number;
}

/**
 * Where the octets of writes are copied to, whose memory is read into again. Most writes are taken
 * at once, so that one buffer of each size serves all streams of a thread; a write that is queued
 * keeps its buffer until it is taken.
 */
export class WriteBuffers {
  readonly #free: WriteBuffer[][] = SIZES.map(() => []);

  /** A buffer for `length` octets, or `undefined` when there is no such size. */
  take(length: number): WriteBuffer | undefined {
    const size = SIZES.findIndex((octets) => length <= octets);
    const octets = SIZES[size];
    if (octets === undefined) return undefined;
    return this.#free[size]?.pop() ?? { bytes: new Uint8Array(octets), size };
  }

  /** Gives a buffer back that nothing refers to any more. */
  give(buffer: WriteBuffer): void {
    const free = this.#free[buffer.size];
    if (free !== undefined && free.length < MAX_FREE) free.push(buffer);
  }
}
