import type { Socket } from "node:net";
import {
  type CloseCause,
  ErrorCode,
  type Fields,
  type H2Handler,
  H2Session,
  type H2Stream,
  type OutputPool,
  type RequestInit,
  type ResetCause,
  type ResponseHead,
} from "../h2/mod.ts";
import { type H2Link, type LinkEvents, PING_AFTER_MS } from "./h2_link.ts";
import type { BackendStream, ResponseHandler } from "./message.ts";
import { SessionIo } from "./session_io.ts";
import type { Turns } from "./turns.ts";

/** What a link needs beside its socket. */
export interface OwnH2LinkOptions {
  readonly events: LinkEvents;
  readonly pool: OutputPool;
  readonly turns: Turns;
  readonly now: () => number;
}

/** A backend connection framed by lib/h2. */
export class OwnH2Link implements H2Link, H2Handler {
  readonly protocol = "h2";
  readonly #events: LinkEvents;
  readonly #session: H2Session;
  readonly #io: SessionIo | undefined;
  #lastRead: number;

  constructor(socket: Socket, { events, pool, turns, now }: OwnH2LinkOptions) {
    this.#events = events;
    this.#lastRead = now();
    this.#session = new H2Session({ role: "client", pool, now: this.#lastRead, handler: this });
    socket.on("data", () => this.#lastRead = now());
    this.#io = new SessionIo(socket, this.#session, {
      now,
      turns,
      hearsOut: true,
      onLost: (reason) => events.onClosed(this, reason),
    });
    // The session wrote its greeting while it was made, when there was nobody to tell.
    this.#io.schedule();
  }

  get ready(): boolean {
    return this.#session.settingsReceived && !this.#session.closed;
  }

  get available(): boolean {
    return this.#session.canOpenStream;
  }

  get takesTunnels(): boolean {
    return this.#session.peerSettings.enableConnectProtocol;
  }

  get idleSince(): number {
    return this.#session.idleSince;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    const stream = this.#session.request(head, endStream);
    stream.context = handler;
    return stream;
  }

  tick(now: number): void {
    const waiting = this.#session.openStreams > 0;
    if (waiting && now - this.#lastRead > PING_AFTER_MS) this.#session.ping();
    this.#session.tick(now);
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
    this.#events.onClosed(this, cause.reason);
  }

  onSettings(): void {
    this.#events.onReady(this);
  }

  onStreamAvailable(): void {
    this.#events.onAvailable(this);
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
      code: cause.code,
    });
  }
}

function handlerOf(stream: H2Stream): ResponseHandler {
  return stream.context as ResponseHandler;
}
