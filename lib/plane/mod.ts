/**
 * The contract between the planes: what the control plane tells the data plane, what it may ask, and
 * what it hears. Types alone, so that neither plane depends on the other.
 *
 * @module
 */
export type { Change } from "./change.ts";
export type {
  FromWorker,
  Reply,
  ReplyValues,
  Request,
  SessionMessage,
  StartMessage,
  ToWorker,
} from "./messages.ts";
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
export type {
  ChallengeSnapshot,
  ConnectorSnapshot,
  FirewallSnapshot,
  HttpProofSnapshot,
  ListenerSnapshot,
  RateLimitSnapshot,
  Settings,
  Snapshot,
  SourcesSnapshot,
  TlsProofSnapshot,
} from "./snapshot.ts";
export type { BackendCount, RouteCount, TakenCounts } from "./counts.ts";
