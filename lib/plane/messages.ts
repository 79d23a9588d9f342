import type { Decision, SessionEnd, SessionRequest } from "../connector/mod.ts";
import type { ConnectionEvent, LogRecord, RequestEvent } from "../observe/mod.ts";
import type { InheritedSocket, SocketsKind } from "../tcp/mod.ts";
import type { Change } from "./change.ts";
import type { FoundConnections } from "./plane.ts";
import type { ConnectionQuery } from "./query.ts";
import type { Snapshot } from "./snapshot.ts";
import type { RouteCount, TakenCounts } from "./counts.ts";

/** What a worker is given to begin with. */
export interface StartMessage {
  readonly type: "start";
  readonly index: number;
  readonly idPrefix: string;
  readonly snapshot: Snapshot;
  /** Listening sockets of the service manager, for this worker alone. */
  readonly inherited: readonly InheritedSocket[];
  readonly sockets: SocketsKind;
  /** Counters with this worker as their only writer. */
  readonly counters: SharedArrayBuffer;
  /** Batches, by kind (`InFlight` in lib/workers), sent and not yet taken by the control plane. */
  readonly batchesInFlight: SharedArrayBuffer;
  /** `DescriptorBudget`. */
  readonly descriptors: SharedArrayBuffer;
  /** `VitalSigns` of this incarnation. */
  readonly vitalSigns: SharedArrayBuffer;
}

/** A request to a worker; answered by a {@link Reply} with the same `id`. */
export type Request =
  | { readonly type: "apply"; readonly changes: readonly Change[] }
  | { readonly type: "close_connection"; readonly connection: string }
  | { readonly type: "find_connections"; readonly query: ConnectionQuery; readonly limit: number }
  | { readonly type: "close_connections"; readonly query: ConnectionQuery }
  | { readonly type: "live_traffic" }
  | { readonly type: "take_counts" }
  | { readonly type: "ping" }
  /** Answered when the last connection has ended. */
  | { readonly type: "drain" }
  | { readonly type: "cut_all" };

/** What a worker is told about sessions of mtls routes; not answered. */
export type SessionMessage =
  /** The answer to `admit`. */
  | { readonly type: "decision"; readonly session: string; readonly decision: Decision }
  | { readonly type: "end_session"; readonly session: string; readonly end: SessionEnd };

/** From the control plane to a worker. */
export type ToWorker = (StartMessage | Request) & { readonly id: number } | SessionMessage;

/** The value of an answer, by the type of the request. */
export interface ReplyValues {
  readonly "close_connection": boolean;
  readonly "find_connections": FoundConnections;
  readonly "close_connections": number;
  readonly "live_traffic": readonly RouteCount[];
  readonly "take_counts": TakenCounts;
}

/** The answer to a request; `value` depends on its type. */
export interface Reply {
  readonly type: "reply";
  readonly id: number;
  readonly value?: ReplyValues[keyof ReplyValues];
  /** Why the request failed. */
  readonly error?: string;
}

/** From a worker to the control plane. */
export type FromWorker =
  | Reply
  | { readonly type: "events"; readonly events: readonly ConnectionEvent[] }
  | { readonly type: "access_log"; readonly events: readonly RequestEvent[] }
  /** Counts of an l7 route, with this worker as their only writer. */
  | { readonly type: "requests"; readonly route: string; readonly block: SharedArrayBuffer }
  /** Asks whether a connection may become a session; answered by `decision`. */
  | { readonly type: "admit"; readonly request: SessionRequest }
  /** The connection is over, whatever was or will be decided. */
  | { readonly type: "leave"; readonly session: string }
  | { readonly type: "log"; readonly record: LogRecord };
