import { BackendCell } from "../balance/mod.ts";
import { createConnectionLimiter } from "../firewall/mod.ts";
import { ConnectionGauge, DescriptorBudget, Permits } from "../observe/mod.ts";
import type { Snapshot, WorkerStatus } from "../plane/mod.ts";
import type { ChangeFeed } from "./change_feed.ts";
import { newCounters, type WorkerHandle } from "./worker_handle.ts";

/** After the drain deadline, for workers to close what was cut and to send their last events. */
const CUT_GRACE_MS = 1000;

/** One place in the pool; workers come and go in it. */
export interface Slot {
  readonly index: number;
  readonly counters: SharedArrayBuffer;
  handle: WorkerHandle | undefined;
  /** The worker that was there before, while its thread has not ended. */
  ending: WorkerHandle | undefined;
  /** Of the worker that serves. */
  feed: ChangeFeed | undefined;
  state: WorkerStatus["state"];
  restarts: number;
  backoffMs: number;
  startedAt: number;
  /** For how long its event loop has not turned; 0 while it is on time. */
  lateMs: number;
  /** Whether its lateness is in the log. */
  saidLate: boolean;
  respawn: ReturnType<typeof setTimeout> | undefined;
  /** Settles when the start in progress is over, however it ended. */
  started: Promise<void>;
}

/** A place that no worker was in yet. */
export function newSlot(index: number, backoffMs: number): Slot {
  return {
    index,
    counters: newCounters(),
    handle: undefined,
    ending: undefined,
    feed: undefined,
    state: "starting",
    restarts: 0,
    backoffMs,
    startedAt: 0,
    lateMs: 0,
    saidLate: false,
    respawn: undefined,
    started: Promise.resolve(),
  };
}

/** What the connections of a worker held that died with them. */
export function releasePermits(
  worker: number,
  { listeners, firewall, backends = [] }: Pick<Snapshot, "listeners" | "firewall" | "backends">,
  descriptors: SharedArrayBuffer,
): void {
  new DescriptorBudget(descriptors).releaseAll(worker);
  for (const { gauge, routes } of listeners) {
    new ConnectionGauge(gauge).releaseAll(worker);
    for (const { memory } of routes) {
      if (memory?.connections !== undefined) new Permits(memory.connections).releaseAll(worker);
    }
  }
  for (const { buffer } of backends) new BackendCell(buffer).releaseAll(worker);
  const { connections } = firewall.sources ?? {};
  if (connections !== undefined) createConnectionLimiter(connections).releaseAll(worker);
}

/** Has a worker end in good order; what is still open after `timeoutMs` is cut. */
export async function drainSlot(slot: Slot, timeoutMs: number): Promise<void> {
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
