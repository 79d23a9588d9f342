import type { Admission } from "../connector/mod.ts";
import {
  type ConnectionEvent,
  COUNTERS_BYTES,
  createCounters,
  type LogSink,
  RequestCounts,
  type RequestEvent,
  sumCounters,
} from "../observe/mod.ts";
import type {
  Applied,
  Change,
  ConnectionQuery,
  FoundConnections,
  Plane,
  PlaneMetrics,
  PlaneStatus,
  RouteCount,
  Snapshot,
  TakenCounts,
} from "../plane/mod.ts";
import { DataPlane, type DataPlaneOptions } from "../server/mod.ts";
import { adopting, createSockets, type InheritedSockets, type SocketsKind } from "../tcp/mod.ts";
import { startLagProbe } from "./lag_probe.ts";
import { readPlaneMetrics } from "./plane_metrics.ts";
import { RequestBlocks } from "./request_blocks.ts";
import { sliceChanges } from "./slices.ts";

/** What a plane reports to. */
export interface PlaneSinks {
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Absent: nobody wants an access log. */
  readonly onRequest?: (event: RequestEvent) => void;
  readonly log: LogSink;
  /** What carries TCP; default: the runtime's handles. */
  readonly sockets?: SocketsKind;
  /** Listening sockets of the service manager, which are adopted instead of bound. */
  readonly inherited?: InheritedSockets;
  /** Decides about connections of mtls routes; absent: they are refused. */
  readonly admission?: Admission;
}

/** The data plane in this very thread (`workers = 0`): for debugging and for tests. */
export class InlinePlane implements Plane {
  readonly #plane: DataPlane;
  readonly #counters = new SharedArrayBuffer(COUNTERS_BYTES);
  readonly #requests = new RequestBlocks();
  readonly #lagProbe: Disposable;
  #draining = false;

  private constructor(snapshot: Snapshot, options: InlineOptions) {
    const counters = createCounters(this.#counters);
    this.#lagProbe = startLagProbe((seconds) => counters.observe("event_loop_lag", seconds));
    this.#plane = new DataPlane({
      worker: 0,
      counters,
      requests: new RequestCounts((route, block) => this.#requests.add(0, route, block)),
      ...options,
      sockets: adopting(
        createSockets(options.sockets ?? "handles"),
        options.inherited?.duplicate() ?? [],
      ),
    }, snapshot);
  }

  /**
   * Binds the snapshot's listeners and serves.
   *
   * @throws {ListenError} if one cannot be bound.
   */
  static async start(snapshot: Snapshot, options: InlineOptions): Promise<InlinePlane> {
    const plane = new InlinePlane(snapshot, options);
    try {
      await plane.apply([{ kind: "snapshot", snapshot }]);
    } catch (error) {
      await plane.drain(0);
      throw error;
    }
    return plane;
  }

  async apply(changes: readonly Change[]): Promise<Applied> {
    for (const slice of sliceChanges(changes)) {
      await this.#plane.apply(slice);
      // A turn for the streams, and for the control plane in the same thread.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return { pendingWorkers: [] };
  }

  status(): PlaneStatus {
    const state = this.#draining ? "draining" : "serving";
    return {
      workers: [{ index: 0, state, restarts: 0, lateMs: 0, pendingChanges: 0 }],
      counters: sumCounters([this.#counters]),
    };
  }

  metrics(): PlaneMetrics {
    return readPlaneMetrics([this.#counters], this.#requests);
  }

  findConnections(query: ConnectionQuery, limit: number): Promise<FoundConnections> {
    return Promise.resolve(this.#plane.findConnections(query, limit));
  }

  closeConnections(query: ConnectionQuery): Promise<number> {
    return Promise.resolve(this.#plane.closeConnections(query));
  }

  liveTraffic(): Promise<RouteCount[]> {
    return Promise.resolve([...this.#plane.liveTraffic()]);
  }

  takeCounts(): Promise<TakenCounts[]> {
    return Promise.resolve([this.#plane.takeCounts()]);
  }

  closeConnection(id: string): Promise<boolean> {
    return Promise.resolve(this.#plane.closeConnection(id));
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const cut = setTimeout(() => this.#plane.cutAll(), timeoutMs);
    await this.#plane.drain();
    clearTimeout(cut);
    this.#lagProbe[Symbol.dispose]();
  }
}

/** What {@link InlinePlane} needs beside the snapshot. */
export type InlineOptions =
  & PlaneSinks
  & Omit<DataPlaneOptions, "worker" | "counters" | "requests" | "sockets">;
