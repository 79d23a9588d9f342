/**
 * Where the data plane runs: in a pool of workers with no permission but the network, or in this
 * thread. Both are a `Plane` to the control plane.
 *
 * @module
 */
export { ENTRY_URL } from "./entry_url.ts";
export { type InlineOptions, InlinePlane, type PlaneSinks } from "./inline.ts";
export { startLagProbe } from "./lag_probe.ts";
export { type PoolOptions, WorkerPool } from "./pool.ts";
export { WorkerError } from "./worker_error.ts";
