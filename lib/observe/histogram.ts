/** From a request on the local network to a handshake that a bad line repeats, in seconds. */
const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** From a refused connection to a WebSocket that lives for days, in seconds. */
const LONG = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 3600, 21_600, 86_400] as const;

/**
 * The upper bounds of every histogram's buckets, in seconds. Fixed, because they size the shared
 * memory; the buckets of one name are never changed without a reason in the changelog.
 */
export const HISTOGRAM_BOUNDS = {
  /** Accept to the end of the connection, by the mode of its route. */
  connection_none: LONG,
  connection_l4: LONG,
  connection_l7: LONG,
  connection_mtls: LONG,
  /** Accept to the end of the ClientHello. */
  client_hello: SHORT,
  /** ClientHello to the end of the TLS handshake (l7, mtls). */
  tls_handshake: SHORT,
  /** Dialling a backend, name resolution included. */
  backend_connect: SHORT,
  /** How late timers fire in this thread. */
  event_loop_lag: SHORT,
} as const satisfies Record<string, readonly number[]>;

/** One of the names of {@link HISTOGRAM_BOUNDS}. */
export type HistogramName = keyof typeof HISTOGRAM_BOUNDS;

/** Every histogram's name. */
export const HISTOGRAM_NAMES = Object.keys(HISTOGRAM_BOUNDS) as readonly HistogramName[];

/** What a histogram holds. */
export interface HistogramValue {
  /** Upper bounds in seconds; one more bucket has none. */
  readonly bounds: readonly number[];
  /** Observations in each bucket alone, `bounds.length + 1` of them. */
  readonly counts: number[];
  /** Of all observations, in seconds. */
  sum: number;
}

/** How many doubles a histogram takes: its buckets, the one above them, and the sum. */
export function histogramSize(bounds: readonly number[]): number {
  return bounds.length + 2;
}

/** Adds one observation to a histogram that begins at `offset` of `values`. */
export function observeAt(
  values: Float64Array,
  { offset, bounds }: { readonly offset: number; readonly bounds: readonly number[] },
  seconds: number,
): void {
  let bucket = 0;
  while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket++;
  const at = offset + bucket;
  const sum = offset + bounds.length + 1;
  values[at] = (values[at] as number) + 1;
  values[sum] = (values[sum] as number) + seconds;
}

/** Adds the histogram at `offset` of `values` to `into`. */
export function addHistogram(into: HistogramValue, values: Float64Array, offset: number): void {
  const { bounds, counts } = into;
  for (let i = 0; i <= bounds.length; i++) {
    counts[i] = (counts[i] ?? 0) + (values[offset + i] ?? 0);
  }
  into.sum += values[offset + bounds.length + 1] ?? 0;
}

/** A histogram without observations. */
export function emptyHistogram(bounds: readonly number[]): HistogramValue {
  return { bounds, counts: new Array(bounds.length + 1).fill(0), sum: 0 };
}
