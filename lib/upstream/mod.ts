/**
 * Connections to backends: one pool for each backend and worker, whatever the transport, as a state
 * machine without I/O. Those who frame (lib/l7) implement {@link Link} and {@link Dialer}.
 *
 * @module
 */
export type { ConnectionState } from "./connection.ts";
export type { Expectation } from "./knowledge.ts";
export type { Lease, RequestNeeds, Upstream, Waiter } from "./lane.ts";
export { POOL_LIMITS, type PoolLimits } from "./limits.ts";
export type {
  AttemptEvents,
  Dialer,
  Heard,
  HttpProtocol,
  Link,
  LinkEnd,
  LinkEvents,
  Offer,
  PoolFailure,
  Timers,
} from "./link.ts";
export { Liveness, PING_AFTER_MS, PING_TIMEOUT_MS } from "./liveness.ts";
export { Pool, type PoolLoad, type PoolOptions } from "./pool.ts";
