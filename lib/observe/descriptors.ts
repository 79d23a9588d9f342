import { MAX_WORKERS } from "./gauge.ts";

const LIMIT = 0;
const USED = 1;
const REFUSED = 2;
const FIRST_WORKER = 3;

/** Octets of shared memory behind one {@link DescriptorBudget}. */
export const DESCRIPTORS_BYTES = (FIRST_WORKER + MAX_WORKERS) * Int32Array.BYTES_PER_ELEMENT;

/** Descriptors of one worker's connections. */
export interface Descriptors {
  /** Takes so many; `false` if that would leave too few for everything else. */
  acquire(count: number): boolean;
  /** Gives so many back. */
  release(count: number): void;
}

/** Where nobody counts. */
export const unlimitedDescriptors: Descriptors = { acquire: () => true, release: () => {} };

/**
 * The descriptors that connections may take, over all workers, in shared memory. What is beyond is
 * for the admin API, the database and whatever else must go on when connections are too many.
 */
export class DescriptorBudget {
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer);
  }

  /** How many connections may take in all; 0: that is not known, so any number. */
  get limit(): number {
    return Atomics.load(this.#cells, LIMIT);
  }

  set limit(limit: number) {
    Atomics.store(this.#cells, LIMIT, limit);
  }

  /** How many are taken. */
  get used(): number {
    return Atomics.load(this.#cells, USED);
  }

  /** How often there was none, modulo 2^32. */
  get refused(): number {
    return Atomics.load(this.#cells, REFUSED) >>> 0;
  }

  /** The budget as one worker takes from it. */
  of(worker: number): Descriptors {
    const cells = this.#cells;
    const own = FIRST_WORKER + worker;
    return {
      acquire(count) {
        const limit = Atomics.load(cells, LIMIT);
        if (Atomics.add(cells, USED, count) + count > limit && limit > 0) {
          Atomics.sub(cells, USED, count);
          Atomics.add(cells, REFUSED, 1);
          return false;
        }
        Atomics.add(cells, own, count);
        return true;
      },
      release(count) {
        Atomics.sub(cells, own, count);
        Atomics.sub(cells, USED, count);
      },
    };
  }

  /** Takes back what a worker held that has died. */
  releaseAll(worker: number): void {
    const held = Atomics.exchange(this.#cells, FIRST_WORKER + worker, 0);
    Atomics.sub(this.#cells, USED, held);
  }
}
