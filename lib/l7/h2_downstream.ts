import {
  type Budget,
  type CloseCause,
  type Fields,
  type H2Handler,
  type H2Session,
  type H2Stream,
  type Limits,
  type OutputPool,
  type PartialRequest,
  type Refusal,
  type RequestHead,
  type ResetCause,
} from "../h2/mod.ts";
import { H2Io, type Turns } from "../http_io/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import type { DownstreamCodec, DownstreamConnection } from "./downstream_connection.ts";
import type { Exchange } from "./exchange.ts";
import { GuardedH2Session, type OnCrash } from "./guarded_sessions.ts";

/** Of a request of which too little was kept to say where it should go. */
const NOWHERE = { scheme: "", authority: "", path: "", protocol: "", contentLength: -1 };

/** The HTTP/2 side of one client. */
export class H2Downstream implements DownstreamCodec, H2Handler {
  readonly #client: DownstreamConnection;
  readonly #session: H2Session;
  readonly #io: H2Io | undefined;
  readonly #onClose: (cause: CloseCause) => void;
  readonly #onRefusal: (refusal: Refusal) => void;

  constructor(downstream: TcpStream, client: DownstreamConnection, options: {
    readonly pool: OutputPool;
    readonly limits: Limits;
    readonly now: () => number;
    readonly turns: Turns;
    /** What the connections of this client's address may reset. */
    readonly resets: Budget;
    /** The session is over; the connection is being closed. */
    readonly onClose: (cause: CloseCause) => void;
    /** A request was turned away before anybody saw it. */
    readonly onRefusal: (refusal: Refusal) => void;
    /** The connection is closed; with the error that it broke off with. */
    readonly onGone: (error?: StreamError) => void;
    /** Something was thrown that must not be: the connection cannot go on. */
    readonly onCrash: OnCrash;
  }) {
    const { pool, limits, now, turns, resets } = options;
    this.#client = client;
    this.#onClose = options.onClose;
    this.#onRefusal = options.onRefusal;
    const { onCrash, onGone } = options;
    this.#session = new GuardedH2Session({
      role: "server",
      pool,
      limits,
      resets,
      now: now(),
      handler: this,
      onCrash,
    });
    this.#io = new H2Io(downstream, this.#session, {
      now,
      turns,
      peer: "client",
      onLost: () => {},
      onGone,
    });
    // The session wrote its greeting while it was made, when there was nobody to tell.
    this.#io.schedule();
  }

  shutdown(): void {
    this.#session.shutdown();
  }

  get bytesIn(): number {
    return this.#io?.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#io?.bytesOut ?? 0;
  }

  tick(now: number, idleMs: number): void {
    this.#session.tick(now);
    const { idleSince } = this.#session;
    if (idleSince >= 0 && now - idleSince > idleMs) this.#session.shutdown();
  }

  onOutput(): void {
    this.#io?.schedule();
  }

  onClose(cause: CloseCause): void {
    this.#io?.close();
    this.#onClose(cause);
  }

  onRefusal(refusal: Refusal): void {
    this.#onRefusal(refusal);
  }

  onRequest(stream: H2Stream, head: RequestHead, endStream: boolean): void {
    const exchange = this.#client.begin(stream, { head, endStream, protocol: "h2" });
    stream.context = exchange;
    if (this.#client.isSpent) this.#session.shutdown();
    this.#client.route(exchange);
  }

  onTooLarge(stream: H2Stream, request: PartialRequest, endStream: boolean): void {
    const head = { ...NOWHERE, ...request };
    const exchange = this.#client.begin(stream, { head, endStream, protocol: "h2" });
    stream.context = exchange;
    if (this.#client.isSpent) this.#session.shutdown();
    exchange.refuse(431, "the header list is too large");
  }

  onData(stream: H2Stream, bytes: Uint8Array, endStream: boolean): void {
    exchangeOf(stream).requestData(bytes, endStream);
  }

  onTrailers(stream: H2Stream, fields: Fields): void {
    exchangeOf(stream).requestTrailers(fields);
  }

  onDrain(stream: H2Stream): void {
    exchangeOf(stream).downstreamDrained();
  }

  /** A backend has worked for this answer; what is answered here buys no resets. */
  onEnd(stream: H2Stream): void {
    if (exchangeOf(stream).upstreamMs !== undefined) this.#session.creditReset();
  }

  onReset(stream: H2Stream, cause: ResetCause): void {
    exchangeOf(stream).downstreamGone(cause.code, `the client's stream ended: ${cause.reason}`);
  }
}

function exchangeOf(stream: H2Stream): Exchange {
  return stream.context as Exchange;
}
