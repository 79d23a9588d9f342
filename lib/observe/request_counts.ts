import {
  addHistogram,
  emptyHistogram,
  histogramSize,
  type HistogramValue,
  observeAt,
} from "./histogram.ts";

/** Protocols of the client's side. */
export const REQUEST_PROTOCOLS = ["h2", "http/1.1", "http/1.0"] as const;

/** Classes instead of codes: five series for a route and not sixty. */
export const STATUS_CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** Routes that one worker tells apart; requests of more are counted together. */
const MAX_ROUTES = 1000;

/** Stands for the routes beyond that many. No hostname has parentheses. */
export const OTHER_ROUTES = "(other)";

/** From a cached answer to a stream that stays open, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] as const;

const COUNTS = REQUEST_PROTOCOLS.length * STATUS_CLASSES.length;
/** Octets of shared memory that hold the counts of one route. */
export const REQUEST_BLOCK_BYTES = (COUNTS + histogramSize(BOUNDS)) *
  Float64Array.BYTES_PER_ELEMENT;

/** What is counted of one request. */
export interface CountedRequest {
  /** The hostname (or wildcard) of the route. */
  readonly route: string;
  readonly status: number;
  readonly protocol: typeof REQUEST_PROTOCOLS[number];
  readonly durationMs: number;
}

/** The requests of one route, added up. */
export interface RouteRequests {
  readonly counts: {
    readonly protocol: typeof REQUEST_PROTOCOLS[number];
    readonly status: typeof STATUS_CLASSES[number];
    readonly count: number;
  }[];
  readonly duration: HistogramValue;
}

/**
 * Counts the requests of one worker by route, protocol and class of status. A route gets its block
 * of shared memory with its first request; the block is handed to whoever reads the counts and
 * outlives the worker.
 *
 * @example
 * ```ts
 * import { readRequestCounts, RequestCounts } from "./request_counts.ts";
 * import assert from "node:assert/strict";
 *
 * const blocks: SharedArrayBuffer[] = [];
 * const requests = new RequestCounts((_route, block) => blocks.push(block));
 * requests.record({ route: "a.example", status: 204, protocol: "h2", durationMs: 7 });
 * assert.deepEqual(readRequestCounts(blocks).counts, [{ protocol: "h2", status: "2xx", count: 1 }]);
 * ```
 */
export class RequestCounts {
  readonly #blocks = new Map<string, Float64Array>();
  readonly #onBlock: (route: string, block: SharedArrayBuffer) => void;

  constructor(onBlock: (route: string, block: SharedArrayBuffer) => void) {
    this.#onBlock = onBlock;
  }

  /** Counts a request that has ended. */
  record({ route, status, protocol, durationMs }: CountedRequest): void {
    const values = this.#blocks.get(route) ?? this.#addBlock(route);
    const statusClass = Math.min(Math.max(Math.trunc(status / 100), 1), 5) - 1;
    const at = REQUEST_PROTOCOLS.indexOf(protocol) * STATUS_CLASSES.length + statusClass;
    values[at] = (values[at] ?? 0) + 1;
    observeAt(values, { offset: COUNTS, bounds: BOUNDS }, durationMs / 1000);
  }

  #addBlock(route: string): Float64Array {
    const name = this.#blocks.size < MAX_ROUTES ? route : OTHER_ROUTES;
    let values = this.#blocks.get(name);
    if (values === undefined) {
      const block = new SharedArrayBuffer(REQUEST_BLOCK_BYTES);
      values = new Float64Array(block);
      this.#blocks.set(name, values);
      this.#onBlock(name, block);
    }
    return values;
  }
}

/** Adds the counts of a block whose worker is gone to those of another such block. */
export function foldRequestBlock(into: SharedArrayBuffer, from: SharedArrayBuffer): void {
  const target = new Float64Array(into);
  new Float64Array(from).forEach((value, i) => target[i] = (target[i] ?? 0) + value);
}

/** Adds blocks of one route up; protocols and classes that did not occur are left out. */
export function readRequestCounts(blocks: Iterable<SharedArrayBuffer>): RouteRequests {
  const sums = new Float64Array(COUNTS);
  const duration = emptyHistogram(BOUNDS);
  for (const block of blocks) {
    const values = new Float64Array(block);
    for (let i = 0; i < COUNTS; i++) sums[i] = (sums[i] ?? 0) + (values[i] ?? 0);
    addHistogram(duration, values, COUNTS);
  }
  const counts = REQUEST_PROTOCOLS.flatMap((protocol, i) =>
    STATUS_CLASSES.map((status, j) => ({
      protocol,
      status,
      count: sums[i * STATUS_CLASSES.length + j] ?? 0,
    }))
  );
  return { counts: counts.filter(({ count }) => count > 0), duration };
}
