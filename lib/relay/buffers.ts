/**
 * Read buffers in a few sizes. A connection that waits holds the smallest, so that ten thousand
 * idle connections cost megabytes; one that fills its buffer moves up, so that a download is read
 * in half-megabyte pieces. Buffers of the larger sizes are shared by all connections of a worker.
 */
const SIZES = [2 * 1024, 16 * 1024, 64 * 1024, 256 * 1024, 512 * 1024] as const;
/** Octets kept for reuse per size; more are left to the collector. */
const MAX_POOLED_BYTES = 8 * 1024 * 1024;

/** The index of the largest size. */
export const LARGEST = SIZES.length - 1;

/** A worker's free read buffers. */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);

  /** A buffer of the size with index `size`. */
  take(size: number): Uint8Array<ArrayBuffer> {
    return this.#free[size]?.pop() ?? new Uint8Array(SIZES[size] ?? SIZES[0]);
  }

  /** Gives a buffer back that nothing refers to any more. */
  give(size: number, buffer: Uint8Array<ArrayBuffer>): void {
    const free = this.#free[size];
    if (free !== undefined && free.length * buffer.length < MAX_POOLED_BYTES) free.push(buffer);
  }
}
