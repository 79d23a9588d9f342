import {
  type CloseCause,
  ErrorCode,
  type Fields,
  type H2Handler,
  type H2Session,
  type H2Stream,
  type Limits,
  type OutputPool,
  type RequestInit,
  type ResetCause,
  type ResponseHead,
} from "../h2/mod.ts";
import { H2Io, type Turns } from "../http_io/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { type LinkEvents, Liveness } from "../upstream/mod.ts";
import { Ear } from "./ear.ts";
import { GuardedH2Session, type OnCrash } from "./guarded_sessions.ts";
import type { BackendConnection, BackendStream, ResponseHandler } from "./message.ts";

/** What it needs beside its stream. */
export interface H2BackendOptions {
  readonly events: LinkEvents;
  readonly limits: Limits;
  readonly pool: OutputPool;
  readonly turns: Turns;
  readonly now: () => number;
  /** Something was thrown that must not be; the connection has ended. */
  readonly onCrash: OnCrash;
}

/** A backend connection framed by lib/h2. */
export class H2Backend implements BackendConnection, H2Handler {
  readonly protocol = "h2";
  readonly settled = true;
  readonly #events: LinkEvents;
  readonly #session: H2Session;
  readonly #io: H2Io | undefined;
  readonly #now: () => number;
  readonly #ear = new Ear();
  readonly #liveness: Liveness;

  constructor(
    upstream: TcpStream,
    { events, limits, pool, turns, now, onCrash }: H2BackendOptions,
  ) {
    this.#events = events;
    this.#now = now;
    this.#liveness = new Liveness(now());
    this.#session = new GuardedH2Session({
      role: "client",
      pool,
      limits,
      now: now(),
      handler: this,
      onCrash: (error) => {
        onCrash(error);
        upstream.close();
        this.#session.abort("internal error");
        this.#closed("internal error", false);
      },
    });
    this.#io = new H2Io(upstream, this.#session, {
      now,
      turns,
      peer: "backend",
      onRead: (bytes) => {
        this.#ear.hear(bytes);
        this.#liveness.heard(now());
      },
      onLost: (reason) => this.#closed(reason, false),
    });
    // The session wrote its greeting while it was made, when there was nobody to tell.
    this.#io.schedule();
  }

  get greeted(): boolean {
    return this.#session.settingsReceived && !this.#session.closed;
  }

  get capacity(): number {
    return this.#session.streamLimit;
  }

  get available(): boolean {
    return this.#session.canOpenStream;
  }

  get takesTunnels(): boolean {
    return this.#session.peerSettings.enableConnectProtocol;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    const stream = this.#session.request(head, endStream);
    this.#liveness.begin(this.#now());
    stream.context = handler;
    if (handler.windows !== undefined) stream.growFrom(handler.windows);
    return stream;
  }

  tick(now: number): void {
    this.#session.tick(now);
    if (this.#session.closed) return;
    const verdict = this.#liveness.check(now, this.#session.openStreams > 0);
    if (verdict === "ask") this.#session.ping();
    if (verdict === "dead") this.#session.close(ErrorCode.noError, "no answer to PING");
  }

  shutdown(): void {
    this.#session.shutdown();
  }

  destroy(reason: string): void {
    this.#session.close(ErrorCode.noError, reason);
  }

  onOutput(): void {
    this.#io?.schedule();
  }

  onClose(cause: CloseCause): void {
    this.#io?.close();
    this.#closed(cause.reason, cause.by === "owner");
  }

  onSettings(): void {
    this.#events.onGreeted();
  }

  onGoaway(): void {
    this.#events.onDraining();
  }

  onStreamAvailable(): void {
    this.#events.onAvailable();
  }

  onResponse(stream: H2Stream, head: ResponseHead, endStream: boolean): void {
    handlerOf(stream).onResponse(head, endStream);
  }

  onData(stream: H2Stream, bytes: Uint8Array, endStream: boolean): void {
    handlerOf(stream).onData(bytes, endStream);
  }

  onTrailers(stream: H2Stream, fields: Fields): void {
    handlerOf(stream).onTrailers(fields);
  }

  onDrain(stream: H2Stream): void {
    handlerOf(stream).onDrain();
  }

  onReset(stream: H2Stream, cause: ResetCause): void {
    handlerOf(stream).onFailure({
      kind: cause.by === "rules" ? "invalid" : "reset",
      reason: `the backend's stream ended: ${cause.reason}`,
      unprocessed: cause.retryable,
      // Heads come whole: one that has come was passed on.
      untouched: !stream.responded,
      code: cause.code,
    });
  }

  #closed(reason: string, byUs: boolean): void {
    this.#events.onClosed({ reason, heard: this.#ear.heard, byUs });
  }
}

function handlerOf(stream: H2Stream): ResponseHandler {
  return stream.context as ResponseHandler;
}
