import type { Admission } from "../connector/mod.ts";
import type {
  ConnectionEvent,
  Counters,
  Descriptors,
  LogSink,
  RequestCounts,
  RequestEvent,
} from "../observe/mod.ts";
import type { Clock } from "../relay/mod.ts";
import type { Sockets } from "../tcp/mod.ts";
import type { HandshakesOptions } from "../tls/mod.ts";

/** What the data plane is given from outside. */
export interface DataPlaneOptions {
  /** Index of this worker, for the gauges. */
  readonly worker: number;
  /** Starts every connection id; unique per incarnation of a worker. */
  readonly idPrefix: string;
  readonly sockets: Sockets;
  /** Default: as many as there are. */
  readonly descriptors?: Descriptors;
  readonly counters: Counters;
  /** Counts the requests of l7 connections. */
  readonly requests: RequestCounts;
  /** Receives one event per ended connection. */
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Receives one event per request of an l7 connection; absent: nobody wants them. */
  readonly onRequest?: (event: RequestEvent) => void;
  readonly log: LogSink;
  /** Decides about connections of mtls routes; absent: they are refused. */
  readonly admission?: Admission;
  readonly clock?: Clock;
  /** Default 5 s. */
  readonly peekTimeoutMs?: number;
  /** Bounds of TLS handshakes. */
  readonly handshakes?: HandshakesOptions;
}
