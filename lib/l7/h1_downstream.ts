import { ErrorCode, type Fields, type OutputPool, type RequestHead } from "../h2/mod.ts";
import {
  type H1CloseCause,
  type H1Limits,
  type H1ResetCause,
  type H1ServerHandler,
  type H1ServerSession,
  type H1ServerStream,
} from "../h1/mod.ts";
import { H1ServerIo, type Turns } from "../http_io/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import type { DownstreamCodec, DownstreamConnection } from "./downstream_connection.ts";
import type { Page } from "./error_pages.ts";
import type { Exchange } from "./exchange.ts";
import { GuardedH1Server, type OnCrash } from "./guarded_sessions.ts";

/** The HTTP/1.1 side of one client. */
export class H1Downstream implements DownstreamCodec, H1ServerHandler {
  readonly #client: DownstreamConnection;
  readonly #session: H1ServerSession;
  readonly #io: H1ServerIo;
  readonly #onClose: (cause: H1CloseCause) => void;

  constructor(downstream: TcpStream, client: DownstreamConnection, options: {
    readonly pool: OutputPool;
    readonly limits: H1Limits;
    readonly turns: Turns;
    readonly now: () => number;
    /** The session is over; the connection is being closed, unless the cause is `abrupt`. */
    readonly onClose: (cause: H1CloseCause) => void;
    /** The connection is closed; with the error that it broke off with. */
    readonly onGone: (error?: StreamError) => void;
    /** Something was thrown that must not be: the connection cannot go on. */
    readonly onCrash: OnCrash;
  }) {
    const { pool, limits, turns, now } = options;
    this.#client = client;
    this.#onClose = options.onClose;
    const { onCrash, onGone } = options;
    this.#session = new GuardedH1Server({ pool, limits, now: now(), handler: this, onCrash });
    this.#io = new H1ServerIo(downstream, this.#session, { now, turns, onGone });
  }

  shutdown(): void {
    this.#session.shutdown();
  }

  get bytesIn(): number {
    return this.#io.bytesIn;
  }

  get bytesOut(): number {
    return this.#io.bytesOut;
  }

  tick(now: number, idleMs: number): void {
    this.#session.tick(now);
    this.#io.tick(now, idleMs);
  }

  onOutput(): void {
    this.#io.schedule();
  }

  onClose(cause: H1CloseCause): void {
    if (!cause.abrupt) this.#io.close();
    this.#onClose(cause);
  }

  onRequest(stream: H1ServerStream, head: RequestHead, endStream: boolean): void {
    const protocol = stream.version === "1.0" ? "http/1.0" : "http/1.1";
    const exchange = this.#client.begin(stream, { head, endStream, protocol });
    stream.context = exchange;
    if (this.#client.isSpent) this.#session.shutdown();
    this.#client.route(exchange);
  }

  pageFor(status: number): Page | undefined {
    return this.#client.pages?.get(status);
  }

  onData(stream: H1ServerStream, bytes: Uint8Array, endStream: boolean): void {
    exchangeOf(stream).requestData(bytes, endStream);
  }

  onTrailers(stream: H1ServerStream, fields: Fields): void {
    exchangeOf(stream).requestTrailers(fields);
  }

  onInvalid(stream: H1ServerStream, reason: string): void {
    exchangeOf(stream).requestInvalid(reason);
  }

  onDrain(stream: H1ServerStream): void {
    exchangeOf(stream).downstreamDrained();
  }

  onReset(stream: H1ServerStream, cause: H1ResetCause): void {
    const code = cause.by === "rules" ? ErrorCode.internalError : ErrorCode.cancel;
    exchangeOf(stream).downstreamGone(code, cause.reason);
  }
}

function exchangeOf(stream: H1ServerStream): Exchange {
  return stream.context as Exchange;
}
