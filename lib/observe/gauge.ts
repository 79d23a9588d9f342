import { ListenerCounts } from "./listener_counts.ts";

/** More workers than this are refused by the configuration: it sizes every gauge. */
export const MAX_WORKERS = 256;

const ACTIVE = 0;
const TOTAL = 1;
const FIRST_WORKER = 2;

const PERMIT_BYTES = (FIRST_WORKER + MAX_WORKERS) * Int32Array.BYTES_PER_ELEMENT;

/** Octets of shared memory behind one {@link ConnectionGauge}; untouched ones cost nothing. */
export const GAUGE_BYTES = PERMIT_BYTES + ListenerCounts.bytesFor(MAX_WORKERS);

/**
 * The open connections of one listener over all workers, in shared memory, so that
 * `max_connections` is one limit and not one per worker; and how those that ended did.
 */
export class ConnectionGauge {
  readonly counts: ListenerCounts;
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer, 0, FIRST_WORKER + MAX_WORKERS);
    this.counts = new ListenerCounts({ buffer, offset: PERMIT_BYTES });
  }

  /** Open connections over all workers. */
  get active(): number {
    return Atomics.load(this.#cells, ACTIVE);
  }

  /** Connections ever accepted, modulo 2^32. */
  get total(): number {
    return Atomics.load(this.#cells, TOTAL) >>> 0;
  }

  /** Takes a permit for `worker`; `false` when `max` (0: no limit) are out already. */
  acquire(worker: number, max: number): boolean {
    if (Atomics.add(this.#cells, ACTIVE, 1) >= max && max > 0) {
      Atomics.sub(this.#cells, ACTIVE, 1);
      return false;
    }
    Atomics.add(this.#cells, FIRST_WORKER + worker, 1);
    Atomics.add(this.#cells, TOTAL, 1);
    return true;
  }

  /** Gives a permit back. */
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
