/** Where every stream of a thread reads to, unless it is in bulk: a read is used before the next. */
const SHARED_OCTETS = 64 * 1024;
/** Of a stream in bulk: fewer system calls, and what is read is written without a copy. */
const BULK_OCTETS = 512 * 1024;
/** Under memory pressure: what a reader who does not read can make one stream hold. */
const SMALL_OCTETS = 16 * 1024;
/** A read of less than this share of a bulk buffer ends the bulk. */
const BULK_SHARE = 8;
/** What waits in all streams of a thread, from which on no stream goes to bulk, … */
const MAX_BULK_QUEUED = 32 * 1024 * 1024;
/** … and from which on all of them read little. 5,000 readers that stall so hold 200 MB at most. */
const MAX_SHARED_QUEUED = 96 * 1024 * 1024;
/** Bulk buffers kept for reuse; more are left to the collector. */
const MAX_FREE = 16;

/** Where a stream reads to. */
export interface ReadBuffer {
  readonly bytes: Uint8Array;
  /** Only this stream reads into it: what is written from it need not be copied. */
  readonly own: boolean;
}

/**
 * The read buffers of one thread. All idle streams and all small reads share one, so an idle
 * connection holds none; a stream whose reads fill it gets a large one of its own while that lasts.
 */
export class ReadBuffers {
  readonly shared: ReadBuffer = { bytes: new Uint8Array(SHARED_OCTETS), own: false };
  readonly #small: ReadBuffer = { bytes: this.shared.bytes.subarray(0, SMALL_OCTETS), own: false };
  readonly #free: ReadBuffer[] = [];
  /** Octets that wait in streams of this thread to be taken by the kernel. */
  queued = 0;

  /** So much waits that each stream has to make do with little. */
  get scarce(): boolean {
    return this.queued >= MAX_SHARED_QUEUED;
  }

  /** Where to read next after a read of `count` octets into `buffer`, if that is a change. */
  after(buffer: ReadBuffer, count: number): ReadBuffer {
    if (buffer.own) return count * BULK_SHARE < BULK_OCTETS ? this.#ordinary() : buffer;
    if (count < buffer.bytes.length) return buffer;
    return this.queued < MAX_BULK_QUEUED ? this.bulk() : this.#ordinary();
  }

  /** For a stream whose buffer was lent to a write. */
  bulk(): ReadBuffer {
    if (this.queued >= MAX_BULK_QUEUED) return this.#ordinary();
    return this.#free.pop() ?? { bytes: new Uint8Array(BULK_OCTETS), own: true };
  }

  /** Gives back an own buffer that nothing refers to any more. */
  free(buffer: ReadBuffer): void {
    if (buffer.own && this.#free.length < MAX_FREE) this.#free.push(buffer);
  }

  #ordinary(): ReadBuffer {
    return this.scarce ? this.#small : this.shared;
  }
}
