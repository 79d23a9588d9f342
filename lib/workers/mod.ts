/**
 * Where the data plane runs: in a pool of workers with no permission but the network, or in this
 * thread. Both are a `Plane` to the control plane.
 *
 * @module
 */
export { amount, type Check, exactText, flag, list, MessageError, record, text } from "./checks.ts";
export { ENTRY_URL } from "./entry_url.ts";
export { type InlineOptions, InlinePlane, type PlaneSinks } from "./inline.ts";
export { installLastResort } from "./last_resort.ts";
export { logRecord } from "./log_record.ts";
export { LoopWatch } from "./loop_watch.ts";
export { VITAL_SIGNS_BYTES, VitalSigns } from "./vital_signs.ts";
export { startLagProbe } from "./lag_probe.ts";
export { type PoolOptions, WorkerPool } from "./pool.ts";
export { WorkerError } from "./worker_error.ts";
