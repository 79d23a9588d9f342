import type { WorkerStatus } from "../server/mod.ts";
import { newCounters, type WorkerHandle } from "./worker_handle.ts";

/** One place in the pool; workers come and go in it. */
export interface Slot {
  readonly index: number;
  readonly counters: SharedArrayBuffer;
  handle: WorkerHandle | undefined;
  state: WorkerStatus["state"];
  restarts: number;
  backoffMs: number;
  startedAt: number;
  /** Heartbeats in a row without an answer. */
  missed: number;
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
    state: "starting",
    restarts: 0,
    backoffMs,
    startedAt: 0,
    missed: 0,
    respawn: undefined,
    started: Promise.resolve(),
  };
}
