import { type OutcomeName, OUTCOMES } from "./outcome.ts";

/** What is counted over the life of the process, beside how connections ended. */
const TOTALS = ["accepted", "bytes_in", "bytes_out", "events_dropped"] as const;

/** Every counter's name. */
export const COUNTER_NAMES = [...TOTALS, ...OUTCOMES] as const;

/** One of {@link COUNTER_NAMES}. */
export type CounterName = typeof TOTALS[number] | OutcomeName;

/** Where the data plane counts. */
export interface Counters {
  add(name: CounterName, amount?: number): void;
}

/** Counts nothing. */
export const nullCounters: Counters = { add: () => {} };

const INDEX = new Map<string, number>(COUNTER_NAMES.map((name, i) => [name, i]));

/** Octets that {@link createCounters} needs in its buffer. */
export const COUNTERS_BYTES = COUNTER_NAMES.length * Float64Array.BYTES_PER_ELEMENT;

/**
 * Counters in shared memory with one writer: each worker owns one buffer and adds without locks,
 * the control plane reads. An aligned 64-bit store is never seen half-written, and a double counts
 * octets exactly up to 2^53, which Atomics over BigInt would do only with an allocation per add.
 */
export function createCounters(buffer: SharedArrayBuffer): Counters {
  const values = new Float64Array(buffer);
  return {
    add(name, amount = 1) {
      const i = INDEX.get(name) as number;
      values[i] = (values[i] as number) + amount;
    },
  };
}

/** The sum of several workers' counters. */
export function sumCounters(buffers: Iterable<SharedArrayBuffer>): Record<CounterName, number> {
  const sums = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Record<
    CounterName,
    number
  >;
  for (const buffer of buffers) {
    const values = new Float64Array(buffer);
    COUNTER_NAMES.forEach((name, i) => sums[name] += values[i] ?? 0);
  }
  return sums;
}
