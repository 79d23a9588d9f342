import { ConnectionGauge, type CounterName, sumCounters } from "../observe/mod.ts";
import type {
  Change,
  ConnectionInfo,
  ConnectionQuery,
  FoundConnections,
  Plane,
  PlaneMetrics,
  PlaneStatus,
  RouteTally,
  Snapshot,
  TakenTallies,
} from "../server/mod.ts";
import type { PlaneSinks } from "./inline.ts";
import type { ReplyValues, Request } from "./messages.ts";
import { readPlaneMetrics } from "./plane_metrics.ts";
import { RequestBlocks } from "./request_blocks.ts";
import { newSlot, type Slot } from "./slot.ts";
import { WorkerError, WorkerHandle } from "./worker_handle.ts";

/** A worker that has not applied a change by then is replaced (DESIGN). */
const APPLY_TIMEOUT_MS = 2000;
/** Loading the code and compiling a large snapshot for the first time. */
const START_TIMEOUT_MS = 30_000;
const QUERY_TIMEOUT_MS = 2000;
const HEARTBEAT_MS = 1000;
/** Heartbeats in a row without an answer after which a worker counts as stuck. */
const MISSED_HEARTBEATS = 10;
/** How long a worker that is to be replaced may take to turn to its messages. */
const END_TIMEOUT_MS = 5000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived this long starts again without back-off. */
const STABLE_MS = 60_000;
/** After the drain deadline, for workers to close what was cut and to send their last events. */
const CUT_GRACE_MS = 1000;

/** Where a pool reports to, and what tests change. */
export interface PoolOptions extends PlaneSinks {
  /** A worker hangs and cannot be ended: only the end of the process frees its share of the port. */
  readonly onStuck?: (worker: number) => void;
  /** The module that workers start from. */
  readonly entry?: URL;
  /** Default: 1,000 ms. */
  readonly heartbeatMs?: number;
  /** Default: 5,000 ms. */
  readonly endTimeoutMs?: number;
}

/**
 * The data plane over N workers: fans changes out, replaces workers that die or hang, and adds up
 * what they count.
 */
export class WorkerPool implements Plane {
  readonly #slots: Slot[];
  readonly #options: PoolOptions;
  readonly #heartbeatMs: number;
  readonly #heartbeat: ReturnType<typeof setInterval>;
  readonly #requests = new RequestBlocks();
  #snapshot: Snapshot;
  #draining = false;

  private constructor(count: number, snapshot: Snapshot, options: PoolOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
    this.#slots = Array.from({ length: count }, (_, index) => newSlot(index, FIRST_BACKOFF_MS));
    this.#heartbeat = setInterval(() => this.#checkHeartbeats(), this.#heartbeatMs);
  }

  /**
   * Starts `count` workers with the snapshot; resolves when all have bound its listeners.
   *
   * @throws {WorkerError} if one could not.
   */
  static async start(count: number, snapshot: Snapshot, options: PoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(count, snapshot, options);
    try {
      await Promise.all(pool.#slots.map((slot) => pool.#spawn(slot)));
    } catch (error) {
      pool.#end();
      throw error;
    }
    return pool;
  }

  async apply(changes: readonly Change[], snapshot: Snapshot): Promise<void> {
    this.#snapshot = snapshot;
    const results = await Promise.allSettled(
      this.#slots.map((slot) => this.#applyTo(slot, changes)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  status(): PlaneStatus {
    return {
      workers: this.#slots.map(({ index, state, restarts }) => ({ index, state, restarts })),
      counters: this.#counters(),
    };
  }

  metrics(): PlaneMetrics {
    return readPlaneMetrics(this.#slots.map((slot) => slot.counters), this.#requests);
  }

  async connections(): Promise<ConnectionInfo[]> {
    return (await this.#ask({ type: "connections" })).flat();
  }

  async closeConnection(connection: string): Promise<boolean> {
    return (await this.#ask({ type: "close_connection", connection })).includes(true);
  }

  async findConnections(query: ConnectionQuery, limit: number): Promise<FoundConnections> {
    const found = await this.#ask({ type: "find_connections", query, limit });
    const connections = found.flatMap(({ connections }) => connections)
      .sort((a, b) => b.ageMs - a.ageMs);
    return { connections, total: found.reduce((sum, { total }) => sum + total, 0) };
  }

  async closeConnections(query: ConnectionQuery): Promise<number> {
    const closed = await this.#ask({ type: "close_connections", query });
    return closed.reduce((sum, count) => sum + count, 0);
  }

  async liveTraffic(): Promise<RouteTally[]> {
    return (await this.#ask({ type: "live_traffic" })).flat();
  }

  takeTallies(): Promise<TakenTallies[]> {
    return this.#ask({ type: "take_tallies" });
  }

  /** Ends one worker as if it had died; a new one takes its place. */
  replace(index: number, reason: string): void {
    const slot = this.#slots[index];
    if (slot?.handle !== undefined) this.#bury(slot, reason);
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    clearInterval(this.#heartbeat);
    await Promise.all(this.#slots.map((slot) => this.#drainOne(slot, timeoutMs)));
    this.#end();
  }

  async #drainOne(slot: Slot, timeoutMs: number): Promise<void> {
    clearTimeout(slot.respawn);
    slot.state = "draining";
    const drained = slot.handle?.request({ type: "drain" }, timeoutMs + CUT_GRACE_MS)
      .catch(() => undefined);
    const cut = setTimeout(() => {
      slot.handle?.request({ type: "cut_all" }, CUT_GRACE_MS).catch(() => undefined);
    }, timeoutMs);
    await drained;
    clearTimeout(cut);
  }

  #spawn(slot: Slot): Promise<void> {
    const starting = this.#startWorker(slot);
    slot.started = starting.catch(() => {}); // Whoever spawned it hears why.
    return starting;
  }

  async #startWorker(slot: Slot): Promise<void> {
    slot.state = "starting";
    slot.missed = 0;
    const handle = new WorkerHandle({
      ...this.#options,
      index: slot.index,
      idPrefix: crypto.randomUUID().slice(0, 6) + slot.index.toString(36),
      counters: slot.counters,
      onRequestBlock: (route, block) => this.#requests.add(slot.index, route, block),
      onDeath: (reason) => this.#bury(slot, reason),
    });
    slot.handle = handle;
    let applied = this.#snapshot;
    await handle.start(applied, START_TIMEOUT_MS);
    // Changes that came while it was starting were not sent to it.
    while (applied !== this.#snapshot) {
      applied = this.#snapshot;
      const change: Change = { kind: "snapshot", snapshot: applied };
      await handle.request({ type: "apply", changes: [change] }, START_TIMEOUT_MS);
    }
    slot.state = "serving";
    slot.startedAt = performance.now();
  }

  async #applyTo(slot: Slot, changes: readonly Change[]): Promise<void> {
    // A worker that is starting may accept already: it counts when it has the newest snapshot.
    if (slot.state === "starting") return await slot.started;
    if (slot.state !== "serving" || slot.handle === undefined) return;
    try {
      await slot.handle.request({ type: "apply", changes }, APPLY_TIMEOUT_MS);
    } catch (error) {
      if (error instanceof WorkerError && error.code !== "refused") {
        this.#bury(slot, error.message); // Its successor starts from the new snapshot.
        return;
      }
      throw error;
    }
  }

  /** A worker is gone, or given up: its loss is logged, and a new one is on its way. */
  #bury(slot: Slot, reason: string): void {
    const { handle, state } = slot;
    if (state === "dead" || this.#draining || handle === undefined) return;
    const lived = state === "serving" ? performance.now() - slot.startedAt : 0;
    slot.handle = undefined;
    slot.state = "dead";
    slot.restarts++;
    slot.backoffMs = lived > STABLE_MS
      ? FIRST_BACKOFF_MS
      : Math.min(slot.backoffMs * 2, MAX_BACKOFF_MS);
    this.#options.log({
      level: "error",
      message: "worker died",
      fields: { worker: slot.index, reason, restarts: slot.restarts, backoffMs: slot.backoffMs },
    });
    handle.end(reason, this.#options.endTimeoutMs ?? END_TIMEOUT_MS).then((hasEnded) => {
      if (hasEnded) this.#revive(slot);
      else this.#options.onStuck?.(slot.index);
    });
  }

  /** The permits of a dead worker come back, and a new one takes its place. */
  #revive(slot: Slot): void {
    if (this.#draining) return;
    for (const listener of this.#snapshot.listeners) {
      new ConnectionGauge(listener.gauge).releaseAll(slot.index);
    }
    slot.respawn = setTimeout(() => {
      this.#spawn(slot).then(
        () => {
          const fields = { worker: slot.index };
          this.#options.log({ level: "info", message: "worker replaced", fields });
        },
        (error) => this.#bury(slot, error.message),
      );
    }, slot.backoffMs);
  }

  #checkHeartbeats(): void {
    for (const slot of this.#slots) {
      if (slot.state !== "serving") continue;
      if (slot.missed >= MISSED_HEARTBEATS) {
        this.#bury(slot, `no heartbeat for ${(MISSED_HEARTBEATS * this.#heartbeatMs) / 1000} s`);
        continue;
      }
      slot.missed++;
      const handle = slot.handle;
      handle?.request({ type: "ping" }, MISSED_HEARTBEATS * this.#heartbeatMs).then(
        () => slot.handle === handle && (slot.missed = 0),
        () => {}, // Counted as missed.
      );
    }
  }

  /** Asks every serving worker; those that do not answer are left out. */
  async #ask<K extends keyof ReplyValues>(
    request: Extract<Request, { type: K }>,
  ): Promise<ReplyValues[K][]> {
    const serving = this.#slots.filter((slot) => slot.state === "serving");
    const replies = await Promise.allSettled(
      serving.map((slot) => slot.handle?.request(request, QUERY_TIMEOUT_MS)),
    );
    return replies
      .map((reply) => reply.status === "fulfilled" ? reply.value?.value : undefined)
      .filter((value) => value !== undefined) as ReplyValues[K][];
  }

  #counters(): Record<CounterName, number> {
    return sumCounters(this.#slots.map((slot) => slot.counters));
  }

  #end(): void {
    this.#draining = true;
    clearInterval(this.#heartbeat);
    for (const slot of this.#slots) {
      clearTimeout(slot.respawn);
      slot.handle?.terminate("shut down");
      slot.handle = undefined;
    }
  }
}
