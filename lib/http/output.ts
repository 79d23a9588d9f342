/** Octets of one slab: four full DATA frames of HTTP/2, or a few flushes of small messages. */
const SLAB_OCTETS = 4 * (16384 + 9);

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
}

/**
 * The slab that the sessions of one thread write their output to, one behind the other: idle sessions
 * hold no buffer, and no write needs an allocation of its own. Octets once handed out are never
 * written again; a slab that is full is left to whoever still has some of it.
 */
export class OutputPool {
  #slab: Slab = { bytes: new Uint8Array(0), used: 0 };
  /** Who wrote last, and may write on where that ended. */
  #writer: Output | undefined;

  /** A slab with at least `room` octets free. What `writer` has not sealed begins at `used`. */
  acquire(room: number, writer: Output): Slab {
    if (this.#writer !== writer) this.#writer?.seal();
    this.#writer = writer;
    if (this.#slab.bytes.length - this.#slab.used < room) {
      this.#slab = { bytes: new Uint8Array(Math.max(room, SLAB_OCTETS)), used: 0 };
    }
    return this.#slab;
  }

  /** Who wrote last has sealed that, and is kept no longer. */
  release(): void {
    this.#writer = undefined;
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
    if (slab !== undefined) this.seal();
    const fresh = this.#pool.acquire(room, this);
    this.#slab = fresh;
    this.#start = fresh.used;
    return fresh;
  }

  /** Appends `bytes` without a copy; nobody may write to them afterwards. */
  push(bytes: Uint8Array): void {
    this.seal();
    this.#ready.push(bytes);
    this.#readySize += bytes.length;
  }

  /** Hands over everything written so far. */
  take(): Uint8Array[] {
    this.seal();
    if (this.#readySize === 0) return NONE;
    const taken = this.#ready;
    this.#ready = [];
    this.#readySize = 0;
    return taken;
  }

  /** Ends what was written, because somebody else is to write next. */
  seal(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    if (slab.used > this.#start) {
      this.#ready.push(slab.bytes.subarray(this.#start, slab.used));
      this.#readySize += slab.used - this.#start;
    }
    this.#slab = undefined;
    // Whoever has a slab is who wrote last: another one would have sealed it.
    this.#pool.release();
  }
}

/** Of a flush that has nothing to write. */
const NONE: Uint8Array[] = Object.freeze([]) as unknown as Uint8Array[];
