import { COUNTED_MODES, type CountedMode, type OutcomeName, OUTCOMES } from "./outcome.ts";

const OUTCOME_INDEX = new Map<OutcomeName, number>(OUTCOMES.map((name, i) => [name, i]));
const MODE_INDEX = new Map<CountedMode, number>(COUNTED_MODES.map((name, i) => [name, i]));

/** For each mode: a count per outcome, octets in, octets out. */
const MODE_DOUBLES = OUTCOMES.length + 2;
const BYTES_IN = OUTCOMES.length;
const BYTES_OUT = OUTCOMES.length + 1;
const WORKER_DOUBLES = MODE_DOUBLES * COUNTED_MODES.length;

/** One connection that has ended. */
export interface EndedConnection {
  readonly mode: CountedMode;
  readonly outcome: OutcomeName;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What a listener's connections of one mode amount to. */
export interface ModeCounts {
  readonly mode: CountedMode;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Only outcomes that occurred. */
  readonly outcomes: readonly (readonly [outcome: OutcomeName, count: number])[];
}

/**
 * How the connections of one listener ended, by mode, with one writer per worker as in
 * `createCounters`.
 */
export class ListenerCounts {
  readonly #values: Float64Array;

  /** @param region Where they are in shared memory, {@link ListenerCounts.bytesFor} octets. */
  constructor(region: { readonly buffer: SharedArrayBuffer; readonly offset: number }) {
    this.#values = new Float64Array(region.buffer, region.offset);
  }

  /** Octets for so many workers. */
  static bytesFor(workers: number): number {
    return workers * WORKER_DOUBLES * Float64Array.BYTES_PER_ELEMENT;
  }

  /** Counts a connection that `worker` has served, with what of it has not been counted yet. */
  record(worker: number, { outcome, ...carried }: EndedConnection): void {
    const at = baseOf(worker, carried.mode) + (OUTCOME_INDEX.get(outcome) as number);
    this.#values[at] = (this.#values[at] as number) + 1;
    this.addBytes(worker, carried);
  }

  /** Counts octets of a connection that goes on. */
  addBytes(
    worker: number,
    { mode, bytesIn, bytesOut }: Pick<EndedConnection, "mode" | "bytesIn" | "bytesOut">,
  ): void {
    const values = this.#values;
    const base = baseOf(worker, mode);
    values[base + BYTES_IN] = (values[base + BYTES_IN] as number) + bytesIn;
    values[base + BYTES_OUT] = (values[base + BYTES_OUT] as number) + bytesOut;
  }

  /** The counts over the first `workers` workers, of the modes that occurred. */
  read(workers: number): ModeCounts[] {
    const sums = new Float64Array(WORKER_DOUBLES);
    for (let i = 0; i < workers * WORKER_DOUBLES; i++) {
      sums[i % WORKER_DOUBLES] = (sums[i % WORKER_DOUBLES] ?? 0) + (this.#values[i] ?? 0);
    }
    return COUNTED_MODES.flatMap((mode, i) => {
      const part = sums.subarray(i * MODE_DOUBLES, (i + 1) * MODE_DOUBLES);
      const outcomes = OUTCOMES.map((name, j) => [name, part[j] ?? 0] as const)
        .filter(([, count]) => count > 0);
      const [bytesIn = 0, bytesOut = 0] = [part[BYTES_IN], part[BYTES_OUT]];
      if (outcomes.length === 0 && bytesIn + bytesOut === 0) return [];
      return [{ mode, bytesIn, bytesOut, outcomes }];
    });
  }
}

function baseOf(worker: number, mode: CountedMode): number {
  return worker * WORKER_DOUBLES + (MODE_INDEX.get(mode) as number) * MODE_DOUBLES;
}
