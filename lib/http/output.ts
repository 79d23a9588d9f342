/** Octets of one slab: four full DATA frames of HTTP/2, or a few flushes of small messages. */
const SLAB_OCTETS = 4 * (16384 + 9);
/** A slab with less room than this is not worth handing out again. */
const WORTH_KEEPING = 4096;
/** Partly used slabs a pool keeps; sessions hold one only between a write and a flush. */
const MAX_IDLE_SLABS = 16;

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
}

/**
 * Slabs for output, shared by the sessions of one thread. A session takes the rest of a slab, fills
 * some of it and gives the remainder back at its flush, so idle sessions hold no buffer and no
 * write needs an allocation of its own. Octets once handed out are never written again.
 */
export class OutputPool {
  readonly #idle: Slab[] = [];

  /** A slab with at least `room` octets free. */
  acquire(room: number): Slab {
    const slab = this.#idle.at(-1);
    if (slab !== undefined && slab.bytes.length - slab.used >= room) {
      this.#idle.pop();
      return slab;
    }
    return { bytes: new Uint8Array(Math.max(room, SLAB_OCTETS)), used: 0 };
  }

  /** Takes back what is free of a slab. */
  release(slab: Slab): void {
    if (this.#idle.length >= MAX_IDLE_SLABS) return;
    if (slab.bytes.length - slab.used >= WORTH_KEEPING) this.#idle.push(slab);
  }
}

/** The octets a session wants to send, in order, until its owner takes them. */
export class Output {
  readonly #pool: OutputPool;
  #slab: Slab | undefined;
  /** Index in the slab where the octets begin that are not yet in `#ready`. */
  #start = 0;
  #ready: Uint8Array[] = [];
  #readySize = 0;

  /** An empty output over `pool`. */
  constructor(pool: OutputPool) {
    this.#pool = pool;
  }

  /** Octets waiting. */
  get size(): number {
    return this.#readySize + (this.#slab === undefined ? 0 : this.#slab.used - this.#start);
  }

  /** The slab to write to at `used`, with at least `room` octets free; the writer moves `used`. */
  reserve(room: number): Slab {
    const slab = this.#slab;
    if (slab !== undefined && slab.bytes.length - slab.used >= room) return slab;
    this.#seal();
    const fresh = this.#pool.acquire(room);
    this.#slab = fresh;
    this.#start = fresh.used;
    return fresh;
  }

  /** Appends `bytes` without a copy; nobody may write to them afterwards. */
  push(bytes: Uint8Array): void {
    this.#seal();
    this.#ready.push(bytes);
    this.#readySize += bytes.length;
  }

  /** Hands over everything written so far. */
  take(): Uint8Array[] {
    this.#seal();
    const taken = this.#ready;
    this.#ready = [];
    this.#readySize = 0;
    return taken;
  }

  #seal(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    if (slab.used > this.#start) {
      this.#ready.push(slab.bytes.subarray(this.#start, slab.used));
      this.#readySize += slab.used - this.#start;
    }
    this.#slab = undefined;
    this.#pool.release(slab);
  }
}
