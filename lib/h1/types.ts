/**
 * What owners see of sessions: streams and events. Heads are those of lib/http.
 *
 * @module
 */
import type { Fields, RequestHead, ResponseHead, ResponseInit } from "../http/mod.ts";

/**
 * What both sides can do with an exchange that is open; the shape is that of lib/h2's streams. Calls
 * on a closed one do nothing, so an owner need not look before each call.
 */
export interface H1Stream {
  /** For the owner: whatever belongs to this exchange. The session does not look at it. */
  context: unknown;
  readonly closed: boolean;
  /**
   * Sends content, with its end if `end`. The session keeps `bytes` until they are taken: do not
   * write to them again. `false`: enough is queued, pause the source until `onDrain`.
   */
  sendData(bytes: Uint8Array, end?: boolean): boolean;
  /**
   * Ends the content with trailers; where it has no chunks, they are dropped.
   *
   * @throws {FieldError} if a field cannot be sent; nothing was written then.
   */
  sendTrailers(fields: Fields): void;
  /** Content that was passed on: the session asks for more octets when enough of it was. */
  consume(octets: number): void;
  /**
   * Ends the exchange, and with it the connection: HTTP/1.1 knows no other way. A response that is
   * complete still arrives. The code is HTTP/2's and does not matter here.
   */
  reset(code?: number): void;
}

/** A request that came in, and the place for its response. */
export interface H1ServerStream extends H1Stream {
  /** What the client speaks. */
  readonly version: "1.0" | "1.1";
  /** Much waits for the client: whatever can be spared (interim responses) is not sent. */
  readonly congested: boolean;
  /**
   * Sends a response head; status 1xx is informational, may be repeated, and is dropped where the
   * client does not read it or speaks HTTP/1.0. 101 opens the tunnel that was asked for.
   *
   * @throws {FieldError} if a field cannot be sent; nothing was written then.
   */
  respond(head: ResponseInit, end?: boolean): void;
}

/** A request that went out. */
export type H1ClientStream = H1Stream;

/** Why a connection is over. */
export interface H1CloseCause {
  /** `peer`: it closed or asked for it. `rules`: it broke one. `deadline`. `owner`: we ended it. */
  readonly by: "peer" | "rules" | "deadline" | "owner";
  /** A short English phrase for a log. */
  readonly reason: string;
  /**
   * A message was cut in a way that its reader could take for its end: the connection must end
   * without a word (RST), not in good order.
   */
  readonly abrupt: boolean;
}

/** Why an exchange ended before its time. */
export interface H1ResetCause {
  /** `peer`: it closed. `rules`: it broke one. `lost`: the connection did. */
  readonly by: "peer" | "rules" | "lost";
  /** A short English phrase for a log. */
  readonly reason: string;
  /** Not one octet of an answer had come (client role). */
  readonly untouched: boolean;
}

/**
 * What any session tells its owner. Methods are called from inside `receive`, `resume`,
 * `takeOutput`, `tick` and the owner's own calls; they may call the session again, and must not
 * throw.
 */
interface H1Handler<Stream> {
  /**
   * There is output where there was none, or room for input: flush once, soon (a microtask, say).
   * To flush: write everything `takeOutput` gives; unless the socket is full then, call `resume`;
   * read from the socket unless `congested`.
   */
  onOutput(): void;
  /** The session is over: write what `takeOutput` still gives and close the connection. */
  onClose(cause: H1CloseCause): void;
  /** Content. A view of what `receive` got; answer with `stream.consume` when it was passed on. */
  onData(stream: Stream, bytes: Uint8Array, end: boolean): void;
  /** The end of the content, with trailers. */
  onTrailers(stream: Stream, fields: Fields): void;
  /** The exchange ended early, for any reason but the owner's own `reset`. */
  onReset(stream: Stream, cause: H1ResetCause): void;
  /** What `sendData` answered `false` for was taken. */
  onDrain(stream: Stream): void;
}

/** The content of an answer to what never became a request. */
export interface RefusalPage {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What a server session tells its owner. */
export interface H1ServerHandler extends H1Handler<H1ServerStream> {
  /**
   * A request. One that asks for a WebSocket has the form of RFC 8441: CONNECT, with `protocol`, and
   * content once a 101 has opened the tunnel.
   */
  onRequest(stream: H1ServerStream, head: RequestHead, end: boolean): void;
  /**
   * The request's content broke a rule and goes no further: answer 400, or `reset` if an answer has
   * begun. The connection ends afterwards.
   */
  onInvalid(stream: H1ServerStream, reason: string): void;
  /** What is said of a status where no request came to be; absent: the status and its name. */
  pageFor?(status: number): RefusalPage | undefined;
  /** A request was answered in the session itself and never became a stream. */
  onRefusal?(refusal: { readonly status: number; readonly reason: string }): void;
}

/** What a client session tells its owner. */
export interface H1ClientHandler extends H1Handler<H1ClientStream> {
  /** A response head, final or informational; 101 opens the tunnel that was asked for. */
  onResponse(stream: H1ClientStream, head: ResponseHead, end: boolean): void;
  /** Request and response are complete and the connection may be used again. */
  onIdle(): void;
}
