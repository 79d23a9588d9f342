import { type CounterName, DESCRIPTORS_BYTES, sumCounters } from "../observe/mod.ts";
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
import { appliedWithin, ChangeFeed } from "./change_feed.ts";
import { lookForInputEveryTurn } from "./event_interval.ts";
import type { PlaneSinks } from "./inline.ts";
import { LoopWatch } from "./loop_watch.ts";
import { readPlaneMetrics } from "./plane_metrics.ts";
import { Questions } from "./questions.ts";
import { RequestBlocks } from "./request_blocks.ts";
import { drainSlot, newSlot, releasePermits, type Slot } from "./slot.ts";
import { superviseSlots } from "./supervisor.ts";
import { WorkerHandle } from "./worker_handle.ts";

/** A worker that has not applied a change by then is reported as late; it applies it later. */
const APPLY_TIMEOUT_MS = 2000;
/** How often it is looked whether workers turn. */
const LOOK_MS = 1000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that lived this long starts again without back-off. */
const STABLE_MS = 60_000;

/** Where a pool reports to, and what tests change. */
export interface PoolOptions extends PlaneSinks {
  /** A worker hangs and cannot be ended: only the end of the process frees its share of the port. */
  readonly onStuck?: (worker: number) => void;
  /** A `DescriptorBudget`; default: one without a limit. */
  readonly descriptors?: SharedArrayBuffer;
  /** The module that workers start from. */
  readonly entry?: URL;
  /** How often it is looked whether workers turn. Default: 1,000 ms. */
  readonly lookMs?: number;
  /** Processor time that makes a turn an endless loop. Default: 30,000 ms. */
  readonly loopCpuMs?: number;
  /** How long a change is waited for before it is reported as pending. Default: 2,000 ms. */
  readonly applyTimeoutMs?: number;
  /** Milliseconds from any point, by which what workers say is counted. Default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * The data plane over N workers: fans changes out, replaces workers that die, bears with those that
 * are late, reports those that hang, and adds up what they count.
 */
export class WorkerPool implements Plane {
  readonly #slots: Slot[];
  readonly #options: PoolOptions;
  readonly #descriptors: SharedArrayBuffer;
  readonly #watch: LoopWatch;
  readonly #look: ReturnType<typeof setInterval>;
  readonly #requests = new RequestBlocks();
  readonly #questions: Questions;
  #snapshot: Snapshot;
  #draining = false;

  private constructor(count: number, snapshot: Snapshot, options: PoolOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#descriptors = options.descriptors ?? new SharedArrayBuffer(DESCRIPTORS_BYTES);
    this.#watch = new LoopWatch({ loopCpuMs: options.loopCpuMs });
    this.#slots = Array.from({ length: count }, (_, index) => newSlot(index, FIRST_BACKOFF_MS));
    this.#questions = new Questions(this.#slots);
    this.#look = setInterval(() => this.#supervise(), options.lookMs ?? LOOK_MS);
  }

  /**
   * Starts `count` workers with the snapshot; resolves when all have bound its listeners.
   *
   * @throws {WorkerError} if one could not.
   */
  static async start(count: number, snapshot: Snapshot, options: PoolOptions): Promise<WorkerPool> {
    lookForInputEveryTurn();
    const pool = new WorkerPool(count, snapshot, options);
    try {
      await Promise.all(pool.#slots.map((slot) => pool.#spawn(slot)));
    } catch (error) {
      pool.#end();
      throw error;
    }
    return pool;
  }

  async apply(changes: readonly Change[], snapshot: Snapshot): Promise<Applied> {
    this.#snapshot = snapshot;
    const results = await Promise.allSettled(
      this.#slots.map((slot) => this.#applyTo(slot, changes)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const pending = results.map((result) => result.status === "fulfilled" && !result.value);
    return { pendingWorkers: [...pending.keys()].filter((index) => pending[index]) };
  }

  status(): PlaneStatus {
    const workers = this.#slots.map(({ index, state, restarts, lateMs, feed }) => {
      const pendingChanges = feed?.pending ?? 0;
      return { index, state, restarts, lateMs, pendingChanges };
    });
    return { workers, counters: this.#counters() };
  }

  metrics(): PlaneMetrics {
    return readPlaneMetrics(this.#slots.map((slot) => slot.counters), this.#requests);
  }

  async closeConnection(connection: string): Promise<boolean> {
    return (await this.#questions.command({ type: "close_connection", connection })).includes(true);
  }

  async findConnections(query: ConnectionQuery, limit: number): Promise<FoundConnections> {
    const found = await this.#questions.ask({ type: "find_connections", query, limit });
    const connections = found.flatMap(({ connections }) => connections)
      .sort((a, b) => b.ageMs - a.ageMs);
    return { connections, total: found.reduce((sum, { total }) => sum + total, 0) };
  }

  async closeConnections(query: ConnectionQuery): Promise<number> {
    const closed = await this.#questions.command({ type: "close_connections", query });
    return closed.reduce((sum, count) => sum + count, 0);
  }

  async liveTraffic(): Promise<RouteCount[]> {
    return (await this.#questions.ask({ type: "live_traffic" })).flat();
  }

  takeCounts(): Promise<TakenCounts[]> {
    return this.#questions.takeCounts();
  }

  /** Ends one worker as if it had died; a new one takes its place. */
  replace(index: number, reason: string): void {
    const slot = this.#slots[index];
    if (slot?.handle !== undefined) this.#bury(slot, reason);
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    clearInterval(this.#look);
    await Promise.all(this.#slots.map((slot) => drainSlot(slot, timeoutMs)));
    this.#end();
  }

  #spawn(slot: Slot): Promise<void> {
    const starting = this.#startWorker(slot);
    slot.started = starting.catch(() => {}); // Whoever spawned it hears why.
    return starting;
  }

  async #startWorker(slot: Slot): Promise<void> {
    slot.state = "starting";
    slot.lateMs = 0;
    this.#requests.retire(slot.index);
    const handle = new WorkerHandle({
      ...this.#options,
      index: slot.index,
      idPrefix: crypto.randomUUID().slice(0, 6) + slot.index.toString(36),
      counters: slot.counters,
      descriptors: this.#descriptors,
      onRequestBlock: (route, block) => this.#requests.add(slot.index, route, block),
      onDeath: (reason) => this.#bury(slot, reason),
    });
    slot.handle = handle;
    this.#watch.add(handle.signs);
    let applied = this.#snapshot;
    await handle.start(applied);
    // Changes that came while it was starting were not sent to it.
    while (applied !== this.#snapshot) {
      applied = this.#snapshot;
      await handle.apply([{ kind: "snapshot", snapshot: applied }]);
    }
    slot.feed = new ChangeFeed({
      worker: slot.index,
      send: (changes) => handle.apply(changes),
      snapshot: () => this.#snapshot,
      log: this.#options.log,
    });
    slot.state = "serving";
    slot.startedAt = performance.now();
  }

  /** Whether the worker has applied the changes in time; if not, it will. */
  async #applyTo(slot: Slot, changes: readonly Change[]): Promise<boolean> {
    const { feed } = slot;
    // A worker that is starting may accept already: it counts when it has the newest snapshot.
    const applied = slot.state === "starting" ? slot.started : feed?.push(changes);
    if (applied === undefined) return true; // Nobody is served there.
    const timeoutMs = this.#options.applyTimeoutMs ?? APPLY_TIMEOUT_MS;
    return await appliedWithin(applied, {
      // Whoever changes much while a worker is late does not wait for it each time.
      timeoutMs: Math.max(0, timeoutMs - (feed?.waitingMs ?? 0)),
      // Too late to undo it elsewhere.
      onLateRefusal: () => this.#reconcile(slot, feed),
    });
  }

  /** Brings a worker to the state that all others are in. */
  #reconcile({ index }: Slot, feed: ChangeFeed | undefined): void {
    feed?.catchUp().catch((error) => {
      const fields = { worker: index, error: error.message };
      this.#options.log({ level: "error", message: "worker is gone with changes pending", fields });
    });
  }

  /** A worker is gone, or given up: its loss is logged, and a new one is on its way. */
  #bury(slot: Slot, reason: string): void {
    const { handle, state } = slot;
    if (state === "dead" || this.#draining || handle === undefined) return;
    const lived = state === "serving" ? performance.now() - slot.startedAt : 0;
    slot.handle = undefined;
    slot.ending = handle;
    slot.feed?.close();
    slot.feed = undefined;
    slot.lateMs = 0;
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
    handle.end(reason).then(() => {
      slot.ending = undefined;
      this.#watch.remove(handle.signs);
      this.#revive(slot);
    });
  }

  /** The permits of a dead worker come back, and a new one takes its place. */
  #revive(slot: Slot): void {
    if (this.#draining) return;
    const release = () => releasePermits(slot.index, this.#snapshot, this.#descriptors);
    release();
    slot.respawn = setTimeout(() => {
      // What its thread has taken since: it is ended in the middle of whatever it does, a little later.
      release();
      this.#spawn(slot).then(
        () => {
          const fields = { worker: slot.index };
          this.#options.log({ level: "info", message: "worker replaced", fields });
        },
        (error) => this.#bury(slot, error.message),
      );
    }, slot.backoffMs);
  }

  #supervise(): void {
    superviseSlots(this.#slots, this.#watch, {
      onLoop: (slot) => this.#giveUp(slot),
      onStartFailed: (slot, reason) => this.#bury(slot, reason),
      log: this.#options.log,
    });
  }

  /** A thread that never ends: it is disowned, and whoever started the pool decides. */
  #giveUp(slot: Slot): void {
    const handle = slot.handle ?? slot.ending;
    if (handle === undefined) return;
    this.#watch.remove(handle.signs);
    slot.feed?.close();
    slot.feed = undefined;
    slot.handle = undefined;
    slot.ending = undefined;
    slot.state = "dead";
    handle.terminate("its thread is in an endless loop");
    const fields = { worker: slot.index };
    this.#options.log({ level: "error", message: "worker is in an endless loop", fields });
    this.#options.onStuck?.(slot.index);
  }

  #counters(): Record<CounterName, number> {
    return sumCounters(this.#slots.map((slot) => slot.counters));
  }

  #end(): void {
    this.#draining = true;
    clearInterval(this.#look);
    for (const slot of this.#slots) {
      clearTimeout(slot.respawn);
      slot.handle?.terminate("shut down");
      slot.handle = undefined;
    }
  }
}
