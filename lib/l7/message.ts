/**
 * What the parts of a proxied request call each other: a downstream codec (HTTP/2 or HTTP/1.1) on one
 * side, a transport to the backend on the other, an `Exchange` between them. The shapes are those of
 * lib/h2's streams, so that between two HTTP/2 sessions nothing stands in the way.
 *
 * Flow control is by credit on both sides: content counts against a window until `consume` gives it
 * back, and nobody gives it back before the other side has taken it.
 *
 * @module
 */
import type { Fields, H2Stream, RequestInit, ResponseHead, WindowBudget } from "../h2/mod.ts";
import type { HttpProtocol, Link, PoolFailure } from "../upstream/mod.ts";

/** Towards the client: the response goes in here. */
export type DownstreamStream = Pick<
  H2Stream,
  "respond" | "sendData" | "sendTrailers" | "consume" | "reset"
>;

/** Towards the backend: the request's content goes in here. */
export type BackendStream = Pick<H2Stream, "sendData" | "sendTrailers" | "consume" | "reset">;

/** Why a backend could not answer. */
export type FailureKind =
  /** No connection, or none in time, or all that may be used are in use. */
  | PoolFailure["kind"]
  /** It broke off. */
  | "reset"
  /** Its answer is not HTTP, or not one that can be passed on. */
  | "invalid";

/** A request that the backend did not answer, or not to the end. */
export interface BackendFailure {
  readonly kind: FailureKind;
  /** A phrase for the log. */
  readonly reason: string;
  /** The backend certainly did nothing with the request: any method may be sent again. */
  readonly unprocessed: boolean;
  /** Nothing of an answer came. */
  readonly untouched: boolean;
  /** The code of HTTP/2 to pass on when the response has begun. */
  readonly code: number;
}

/** Takes the response. Never called from inside `BackendConnection.request`. */
export interface ResponseHandler {
  /** What the windows of its client's responses may grow out of. */
  readonly windows?: WindowBudget;
  /** A head; `status` below 200 is informational and another one follows. */
  onResponse(head: ResponseHead, endStream: boolean): void;
  /** Content; answer with `consume` when it was passed on. */
  onData(bytes: Uint8Array, endStream: boolean): void;
  /** The end, with trailers. */
  onTrailers(fields: Fields): void;
  /** The stream takes content again after `sendData` answered `false`. */
  onDrain(): void;
  /** The stream is over before its time. */
  onFailure(failure: BackendFailure): void;
}

/** A connection to the backend that is open: requests go out at once. */
export interface BackendConnection extends Link {
  readonly protocol: HttpProtocol;
  /** The other side lets itself be asked for tunnels. */
  readonly takesTunnels: boolean;
  /**
   * Sends a request. `RequestInit.protocol` asks for a tunnel (RFC 8441): the answer is 200, or 101
   * over HTTP/1.1, and content is the tunnel's octets.
   */
  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream;
}
