/**
 * The data plane of one thread: listeners, the path of one connection, drain.
 *
 * @module
 */
export { DataPlane, type DataPlaneOptions } from "./data_plane.ts";
export type {
  Applied,
  ConnectionInfo,
  FoundConnections,
  Plane,
  PlaneMetrics,
  PlaneStatus,
  WorkerStatus,
} from "./plane.ts";
export type { ConnectionQuery } from "./query.ts";
export type { RouteTally, TakenTallies } from "./tallies.ts";
export type { ConnectorSnapshot } from "./connector.ts";
export { sliceChanges } from "./slices.ts";
export { bindProblem, ListenError } from "./listener.ts";
export type {
  Change,
  FirewallSnapshot,
  ListenerSnapshot,
  RateLimitSnapshot,
  Settings,
  Snapshot,
  SourcesSnapshot,
} from "./snapshot.ts";
