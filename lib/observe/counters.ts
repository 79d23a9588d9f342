import {
  addHistogram,
  emptyHistogram,
  HISTOGRAM_BOUNDS,
  HISTOGRAM_NAMES,
  type HistogramName,
  histogramSize,
  type HistogramValue,
  observeAt,
} from "./histogram.ts";
import { type OutcomeName, OUTCOMES } from "./outcome.ts";

/** What is counted over the life of the process, beside how connections ended. */
const TOTALS = [
  "accepted",
  "bytes_in",
  "bytes_out",
  "events_dropped",
  "accept_failures",
  // The outcome "blocked", by the type of the rule.
  "blocked_ip",
  "blocked_cidr",
  "blocked_country",
] as const;

/** Every counter's name. */
export const COUNTER_NAMES = [...TOTALS, ...OUTCOMES] as const;

/** One of {@link COUNTER_NAMES}. */
export type CounterName = typeof TOTALS[number] | OutcomeName;

/** Where the data plane counts. */
export interface Counters {
  add(name: CounterName, amount?: number): void;
  /** Adds an observation to a histogram. */
  observe(name: HistogramName, seconds: number): void;
}

const INDEX = new Map<string, number>(COUNTER_NAMES.map((name, i) => [name, i]));

const HISTOGRAMS = new Map<HistogramName, { offset: number; bounds: readonly number[] }>();
let end = COUNTER_NAMES.length;
for (const name of HISTOGRAM_NAMES) {
  const bounds = HISTOGRAM_BOUNDS[name];
  HISTOGRAMS.set(name, { offset: end, bounds });
  end += histogramSize(bounds);
}

/** Octets that {@link createCounters} needs in its buffer. */
export const COUNTERS_BYTES = end * Float64Array.BYTES_PER_ELEMENT;

/**
 * Counters and histograms in shared memory with one writer: each worker owns one buffer and adds
 * without locks, the control plane reads. An aligned 64-bit store is never seen half-written, and a
 * double counts octets exactly up to 2^53, which Atomics over BigInt would do only with an
 * allocation per add.
 */
export function createCounters(buffer: SharedArrayBuffer): Counters {
  const values = new Float64Array(buffer);
  return {
    add(name, amount = 1) {
      const i = INDEX.get(name) as number;
      values[i] = (values[i] as number) + amount;
    },
    observe(name, seconds) {
      observeAt(values, HISTOGRAMS.get(name) as { offset: number; bounds: number[] }, seconds);
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

/** One histogram, added up over several workers. */
export function sumHistogram(
  name: HistogramName,
  buffers: Iterable<SharedArrayBuffer>,
): HistogramValue {
  const sum = emptyHistogram(HISTOGRAM_BOUNDS[name]);
  const { offset } = HISTOGRAMS.get(name) as { offset: number };
  for (const buffer of buffers) addHistogram(sum, new Float64Array(buffer), offset);
  return sum;
}
