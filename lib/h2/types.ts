/**
 * What an owner sees of a session: streams and events. Heads are those of lib/http.
 *
 * @module
 */
import type { Fields, RequestHead, ResponseHead, ResponseInit } from "../http/mod.ts";
import type { WindowBudget } from "./flow_control.ts";
import type { PeerSettings } from "./settings.ts";

/** States of a stream that an owner can hold (RFC 9113 §5.1). */
export type StreamState = "open" | "half-closed (local)" | "half-closed (remote)" | "closed";

/**
 * One request and its response. Calls on a closed stream do nothing, so an owner need not look
 * before each call; calls out of order on an open one throw `H2StateError`.
 */
export interface H2Stream {
  readonly id: number;
  readonly state: StreamState;
  readonly closed: boolean;
  /** For the owner: whatever belongs to this stream. The session does not look at it. */
  context: unknown;
  /** Octets given to `sendData` that are not yet framed. */
  readonly bufferedOctets: number;
  /** When octets last moved on this stream in either direction, on the owner's clock. */
  readonly lastActivity: number;
  /** A final response head was sent (server) or received (client). */
  readonly responded: boolean;

  /**
   * Sends a response head (server role); status 1xx is informational and may be repeated.
   *
   * @throws {H2StateError} after a final head, or as a client.
   * @throws {H2FieldError} if a field cannot be sent; nothing was written then.
   */
  respond(head: ResponseInit, endStream?: boolean): void;
  /**
   * Sends content, with the end of the stream if `endStream`. The session keeps `bytes` until they
   * are framed: do not write to them again. `false`: enough is queued, pause the source until
   * `onDrain`.
   *
   * @throws {H2StateError} before the head or after the end.
   */
  sendData(bytes: Uint8Array, endStream?: boolean): boolean;
  /**
   * Ends the stream with trailers, after everything queued.
   *
   * @throws {H2StateError} before the head or after the end.
   * @throws {H2FieldError} if a field cannot be sent; nothing was written then.
   */
  sendTrailers(fields: Fields): void;
  /**
   * Lets the peer send `octets` more. Content counts against the windows until the owner has
   * passed it on and says so here.
   */
  consume(octets: number): void;
  /** Lets the window of what the peer sends grow out of `budget` while the owner keeps up. */
  growFrom(budget: WindowBudget): void;
  /**
   * Ends the stream at once. NO_ERROR from a server that has ended its response waits until the
   * response is framed, and tells the client to stop sending (RFC 9113 §8.1).
   */
  reset(code: number): void;
}

/** Why a stream ended before its time. */
export interface ResetCause {
  /** Code of RST_STREAM or GOAWAY. */
  readonly code: number;
  /** `peer`: it sent RST_STREAM. `rules`: it broke one and we did. `session`: the session ended. */
  readonly by: "peer" | "rules" | "session";
  /** A short English phrase for a log. */
  readonly reason: string;
  /** The peer certainly did not process the request: any method may be sent again. */
  readonly retryable: boolean;
}

/** Why a session ended. */
export interface CloseCause {
  /** Code of the GOAWAY that ended it. */
  readonly code: number;
  /** `peer`: it sent a GOAWAY with an error. `rules`: it broke one. `owner`: we closed or drained. */
  readonly by: "peer" | "rules" | "owner";
  /** A short English phrase for a log. */
  readonly reason: string;
}

/** A request that never reached the owner as a stream. */
export interface Refusal {
  readonly streamId: number;
  /** `malformed`: reset. `too-large`: answered 431. `too-many`: refused, may be retried. */
  readonly kind: "malformed" | "too-large" | "too-many";
  /** A short English phrase for a log. */
  readonly reason: string;
}

/** What was kept of a header list that is too large: its beginning. */
export interface PartialRequest {
  /** Empty: it had not come. */
  readonly method: string;
  readonly fields: Fields;
}

/**
 * What a session tells its owner. Methods are called from inside `receive`, `takeOutput`, `tick`
 * and the owner's own calls; they may call the session again, and must not throw.
 */
export interface H2Handler {
  /** There is output where there was none: call `takeOutput` once, soon, and write what it gives. */
  onOutput(): void;
  /** The session is over: write what `takeOutput` still gives and close the connection. */
  onClose(cause: CloseCause): void;
  /** A request (server role). The stream is the owner's until it ends or `onReset`. */
  onRequest?(stream: H2Stream, head: RequestHead, endStream: boolean): void;
  /**
   * A request whose header list is too large (server role): the owner answers 431, as to a request of
   * {@link onRequest}. Absent: the session answers it, without content.
   */
  onTooLarge?(stream: H2Stream, request: PartialRequest, endStream: boolean): void;
  /** A response head (client role), final or informational. */
  onResponse?(stream: H2Stream, head: ResponseHead, endStream: boolean): void;
  /** Content. A view of what `receive` got; answer with `stream.consume` when it was passed on. */
  onData(stream: H2Stream, bytes: Uint8Array, endStream: boolean): void;
  /** The peer ended the stream with trailers. */
  onTrailers(stream: H2Stream, fields: Fields): void;
  /** The stream ended early, for any reason but the owner's own `reset`. */
  onReset(stream: H2Stream, cause: ResetCause): void;
  /** The queue of a stream is low again after `sendData` answered `false`. */
  onDrain(stream: H2Stream): void;
  /** Both sides ended the stream in good order. */
  onEnd?(stream: H2Stream): void;
  /** SETTINGS of the peer came into force. */
  onSettings?(settings: Readonly<PeerSettings>): void;
  /** The peer will not take streams above `lastStreamId`; those were reset as retryable. */
  onGoaway?(code: number, lastStreamId: number): void;
  /** The peer has room for another stream after `canOpenStream` was false (client role). */
  onStreamAvailable?(): void;
  /** The answer to `ping` came back after `elapsedMs` on the owner's clock. */
  onPong?(elapsedMs: number): void;
  /** A request was turned away before it became a stream (server role), for logs and counters. */
  onRefusal?(refusal: Refusal): void;
}
