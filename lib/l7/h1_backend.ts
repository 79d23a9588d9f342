import {
  type H1ClientHandler,
  type H1ClientSession,
  type H1ClientStream,
  type H1CloseCause,
  type H1Limits,
  type H1ResetCause,
} from "../h1/mod.ts";
import { ErrorCode } from "../h2/mod.ts";
import type { Fields, OutputPool, RequestInit, ResponseHead } from "../http/mod.ts";
import { H1ClientIo, type Turns } from "../http_io/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import type { Heard, LinkEvents } from "../upstream/mod.ts";
import { GuardedH1Client, type OnCrash } from "./guarded_sessions.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  ResponseHandler,
} from "./message.ts";
import { acceptsTunnel, tunnelRequest } from "./websocket.ts";

/** What it needs beside its stream. */
export interface H1BackendOptions {
  readonly events: LinkEvents;
  readonly limits: H1Limits;
  readonly pool: OutputPool;
  readonly turns: Turns;
  readonly now: () => number;
  /** Something was thrown that must not be; the connection has ended. */
  readonly onCrash: OnCrash;
}

/** A backend connection framed by lib/h1. */
export class H1Backend implements BackendConnection, H1ClientHandler {
  readonly protocol = "http/1.1";
  readonly takesTunnels = true;
  readonly greeted = true;
  readonly capacity = 1;
  readonly #events: LinkEvents;
  readonly #session: H1ClientSession;
  readonly #io: H1ClientIo;
  #request: Request | undefined;
  #heard: Heard = "nothing";
  #closed = false;

  constructor(
    upstream: TcpStream,
    { events, limits, pool, turns, now, onCrash }: H1BackendOptions,
  ) {
    this.#events = events;
    this.#session = new GuardedH1Client({
      pool,
      limits,
      now: now(),
      handler: this,
      onCrash: (error) => {
        onCrash(error);
        upstream.close();
        this.#session.abort("internal error");
        this.#close("internal error", false);
      },
    });
    this.#io = new H1ClientIo(upstream, this.#session, {
      now,
      turns,
      onRead: () => this.#heard === "nothing" && (this.#heard = "other"),
      onHaveRead: () => this.#request?.pass(),
      onLost: (reason) => this.#close(reason, false),
    });
  }

  get available(): boolean {
    return this.#session.idle;
  }

  get settled(): boolean {
    return this.#request === undefined || this.#request.complete;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    const isTunnel = head.protocol !== undefined && head.protocol !== "";
    const tunnel = isTunnel ? tunnelRequest(head) : undefined;
    const init = tunnel === undefined ? head : { ...head, fields: tunnel.fields };
    const stream = this.#session.request(init, endStream && !isTunnel);
    const request = new Request(stream, handler, {
      ended: endStream && !isTunnel,
      key: tunnel?.key,
      endTunnel: () => this.#io.end(),
    });
    stream.context = request;
    this.#request = request;
    return request;
  }

  tick(): void {}

  shutdown(): void {
    this.#session.shutdown();
  }

  destroy(reason: string): void {
    this.#session.close(reason);
  }

  onOutput(): void {
    this.#io.schedule();
  }

  onClose({ by, reason, abrupt }: H1CloseCause): void {
    this.#io.close(abrupt);
    this.#close(reason, by === "owner");
  }

  onIdle(): void {
    this.#request = undefined;
    this.#events.onAvailable();
  }

  onResponse(stream: H1ClientStream, head: ResponseHead, end: boolean): void {
    this.#heard = "http/1.1";
    requestOf(stream).respond(head, end);
  }

  onData(stream: H1ClientStream, bytes: Uint8Array, end: boolean): void {
    const request = requestOf(stream);
    request.pass();
    if (end) request.answered = true;
    request.handler.onData(bytes, end);
  }

  onTrailers(stream: H1ClientStream, fields: Fields): void {
    const request = requestOf(stream);
    request.pass();
    request.answered = true;
    request.handler.onTrailers(fields);
  }

  onDrain(stream: H1ClientStream): void {
    requestOf(stream).handler.onDrain();
  }

  onReset(stream: H1ClientStream, { by, reason, untouched }: H1ResetCause): void {
    const kind = by === "rules" ? "invalid" : "reset";
    requestOf(stream).fail(failureOf(kind, reason, untouched));
  }

  #close(reason: string, byUs: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.onClosed({ reason, heard: this.#heard, byUs });
  }
}

/** One request on a link, and how far it is. */
class Request implements BackendStream {
  /** All of the answer has come. */
  answered = false;
  readonly handler: ResponseHandler;
  readonly #stream: H1ClientStream;
  readonly #key: string | undefined;
  readonly #endTunnel: () => void;
  #ended: boolean;
  #held: ResponseHead | undefined;

  constructor(stream: H1ClientStream, handler: ResponseHandler, options: {
    /** The request went out whole. */
    readonly ended: boolean;
    /** What a tunnel's handshake was made with. */
    readonly key: string | undefined;
    readonly endTunnel: () => void;
  }) {
    this.#stream = stream;
    this.handler = handler;
    this.#ended = options.ended;
    this.#key = options.key;
    this.#endTunnel = options.endTunnel;
  }

  /** Both messages have come to their ends. */
  get complete(): boolean {
    return this.answered && this.#ended;
  }

  respond(head: ResponseHead, end: boolean): void {
    if (head.status === 101 && this.#key !== undefined && !acceptsTunnel(head.fields, this.#key)) {
      this.#stream.reset();
      return this.fail(failureOf("invalid", "a 101 to another handshake", false));
    }
    if (head.status >= 200 && !end) {
      this.#held = head;
      return;
    }
    if (end) this.answered = true;
    this.handler.onResponse(head, end);
  }

  /**
   * Passes a head on that was held. It is held until what came with it was looked at: a head whose
   * content is malformed from its first octet on is still a 502.
   */
  pass(): void {
    const head = this.#held;
    if (head === undefined) return;
    this.#held = undefined;
    this.handler.onResponse(head, false);
  }

  sendData(bytes: Uint8Array, endStream = false): boolean {
    const room = this.#stream.sendData(bytes, endStream);
    if (endStream) this.#end();
    return room;
  }

  sendTrailers(fields: Fields): void {
    this.#stream.sendTrailers(fields);
    this.#end();
  }

  consume(octets: number): void {
    this.#stream.consume(octets);
  }

  reset(code: number): void {
    this.#held = undefined;
    this.#stream.reset(code);
  }

  fail(failure: BackendFailure): void {
    this.#held = undefined;
    this.handler.onFailure(failure);
  }

  #end(): void {
    this.#ended = true;
    if (this.#key !== undefined) this.#endTunnel();
  }
}

function requestOf(stream: H1ClientStream): Request {
  return stream.context as Request;
}

function failureOf(kind: "invalid" | "reset", reason: string, untouched: boolean): BackendFailure {
  return {
    kind,
    reason: `the backend's connection: ${reason}`,
    unprocessed: false,
    untouched,
    code: ErrorCode.internalError,
  };
}
