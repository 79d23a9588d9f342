/** {@link Pressure} in full. */
const FULL = 1024;
/** New connections that are admitted under the greatest pressure: 64 of 1,024. */
const TRICKLE = 64;

/**
 * How short of memory the process is, written by the control plane and read by workers for each new
 * connection: the share of them that is to be refused.
 *
 * Never all of them. Memory is given back when somebody collects garbage, which takes work: a
 * process that refused everybody could stay full with nothing in it.
 */
export class Pressure {
  /** Octets of shared memory behind it. */
  static readonly BYTES = Int32Array.BYTES_PER_ELEMENT;
  readonly #cell: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cell = new Int32Array(buffer, 0, 1);
  }

  /** The share to refuse, 0–1. */
  get share(): number {
    return Atomics.load(this.#cell, 0) / FULL;
  }

  /** Sets the share, cut to what may be refused. */
  set share(share: number) {
    const cells = Math.round(share * FULL);
    Atomics.store(this.#cell, 0, Math.min(Math.max(cells, 0), FULL - TRICKLE));
  }

  /** Whether to refuse one connection; `chance` is random, 0 ≤ `chance` < 1. */
  refuses(chance: number): boolean {
    const cells = Atomics.load(this.#cell, 0);
    return cells > 0 && chance * FULL < cells;
  }
}
