import type { CounterName, HistogramName, HistogramValue, RouteRequests } from "../observe/mod.ts";
import type { Change } from "./change.ts";
import type { ConnectionQuery } from "./query.ts";
import type { Snapshot } from "./snapshot.ts";
import type { RouteCount, TakenCounts } from "./counts.ts";

/** What a live connection looks like to an operator. */
export interface ConnectionInfo {
  readonly id: string;
  readonly listener: string;
  /** The real client, `ip:port`. */
  readonly client: string;
  readonly sni?: string;
  readonly route?: string;
  readonly mode?: string;
  readonly backend?: string;
  /** mtls: `org/user`. */
  readonly identity?: string;
  /** mtls: the `connect_id` that the client asked for. */
  readonly host?: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ageMs: number;
}

/** One worker as the pool sees it. */
export interface WorkerStatus {
  readonly index: number;
  readonly state: "starting" | "serving" | "draining" | "dead";
  /** How often it was replaced. */
  readonly restarts: number;
  /** For how long its event loop has not turned; 0 while it is on time. */
  readonly lateMs: number;
  /** Changes that it has not applied yet. */
  readonly pendingChanges: number;
}

/** What became of a change. */
export interface Applied {
  /** Workers that had not applied it in time; they will. */
  readonly pendingWorkers: readonly number[];
}

/** Some of the connections that a query means, and how many there are in all. */
export interface FoundConnections {
  /** Oldest first. */
  readonly connections: readonly ConnectionInfo[];
  readonly total: number;
}

/** A look at the whole data plane. */
export interface PlaneStatus {
  readonly workers: readonly WorkerStatus[];
  readonly counters: Readonly<Record<CounterName, number>>;
}

/** What is measured beyond {@link PlaneStatus}; read for each scrape of the metrics. */
export interface PlaneMetrics {
  /** Over all workers. */
  readonly histograms: ReadonlyMap<HistogramName, HistogramValue>;
  /** How late timers fire, by the index of the worker. */
  readonly eventLoopLag: readonly HistogramValue[];
  /** By the hostname of the l7 route. */
  readonly requests: ReadonlyMap<string, RouteRequests>;
}

/**
 * The data plane as the control plane drives it, whether it runs in workers or in the same thread.
 */
export interface Plane {
  /**
   * Makes every worker apply `changes`; `snapshot` is the state they lead to, from which a worker
   * that has to be replaced starts. Resolves when all have applied them, or after 2 s with those
   * that are late and will.
   *
   * @throws {Error} if one worker could not; the others may have. Applying the snapshot of before
   * brings all of them back.
   */
  apply(changes: readonly Change[], snapshot: Snapshot): Promise<Applied>;
  status(): PlaneStatus;
  metrics(): PlaneMetrics;
  /** The oldest `limit` of each worker's; a worker that does not answer is left out. */
  findConnections(query: ConnectionQuery, limit: number): Promise<FoundConnections>;
  /** Cuts off those that a query means; how many there were. */
  closeConnections(query: ConnectionQuery): Promise<number>;
  /** Open connections by route; what they carry is in the counts. */
  liveTraffic(): Promise<RouteCount[]>;
  /** What happened since this was asked the last time; of each worker. */
  takeCounts(): Promise<TakenCounts[]>;
  /** Cuts one connection off; `false` if no worker has it. */
  closeConnection(id: string): Promise<boolean>;
  /** Stops accepting, waits for connections to end, and cuts those open after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}
