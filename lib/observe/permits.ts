import { MAX_WORKERS } from "./gauge.ts";

const ACTIVE = 0;
const FIRST_WORKER = 1;

/** Octets of shared memory behind {@link Permits}. */
export const PERMITS_BYTES = (FIRST_WORKER + MAX_WORKERS) * Int32Array.BYTES_PER_ELEMENT;

/** Permits of one kind that are out over all workers, and who holds them. */
export class Permits {
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer);
  }

  /** How many are out. */
  get active(): number {
    return Atomics.load(this.#cells, ACTIVE);
  }

  /** Takes one for `worker`; `false` when `max` are out already. */
  acquire(worker: number, max: number): boolean {
    if (Atomics.add(this.#cells, ACTIVE, 1) >= max) {
      Atomics.sub(this.#cells, ACTIVE, 1);
      return false;
    }
    Atomics.add(this.#cells, FIRST_WORKER + worker, 1);
    return true;
  }

  /** Gives one back. */
  release(worker: number): void {
    Atomics.sub(this.#cells, FIRST_WORKER + worker, 1);
    Atomics.sub(this.#cells, ACTIVE, 1);
  }

  /** Gives back every permit of a worker that died with them. */
  releaseAll(worker: number): void {
    const held = Atomics.exchange(this.#cells, FIRST_WORKER + worker, 0);
    Atomics.sub(this.#cells, ACTIVE, held);
  }
}
