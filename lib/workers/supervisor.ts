import type { LogSink } from "../observe/mod.ts";
import type { LoopWatch } from "./loop_watch.ts";
import type { Slot } from "./slot.ts";

/** A worker that has not turned for so long is late: its timer fires twice a second. */
const LATE_MS = 2000;
/** A worker that is late for that long is worth a line in the log. */
const LOG_LATE_MS = 10_000;
/**
 * Turns within which a worker has to be ready, two a second: it does its work, so what it waits for
 * does not come. Counted in its own turns, a starved machine gives it more time.
 */
const MAX_START_TURNS = 240;

/** What is to be done about a worker. */
export interface Findings {
  /** Its thread spends processor time and does not turn: it will not end. */
  readonly onLoop: (slot: Slot) => void;
  /** It turns, and does not get to serve. */
  readonly onStartFailed: (slot: Slot, reason: string) => void;
  readonly log: LogSink;
}

/** Looks whether workers turn. Being late is noted and told; it is nobody's death. */
export function superviseSlots(slots: readonly Slot[], watch: LoopWatch, found: Findings): void {
  const silences = watch.look();
  for (const slot of slots) {
    const handle = slot.handle ?? slot.ending;
    if (handle === undefined) continue;
    const silence = silences.get(handle.signs);
    if (silence === undefined) continue;
    if (silence.isLoop) found.onLoop(slot);
    else if (slot.state === "starting" && handle.signs.turns > MAX_START_TURNS) {
      found.onStartFailed(slot, "it did not get ready");
    } else if (slot.state === "serving") noteLateness(slot, silence.silentMs, found.log);
  }
}

function noteLateness(slot: Slot, silentMs: number, log: LogSink): void {
  const before = slot.lateMs;
  slot.lateMs = silentMs < LATE_MS ? 0 : Math.round(silentMs);
  const { index: worker, lateMs } = slot;
  if (lateMs >= LOG_LATE_MS && !slot.saidLate) {
    slot.saidLate = true;
    log({ level: "warn", message: "worker is late", fields: { worker, lateMs } });
  } else if (lateMs === 0 && slot.saidLate) {
    slot.saidLate = false;
    log({ level: "info", message: "worker turns again", fields: { worker, lateMs: before } });
  }
}
