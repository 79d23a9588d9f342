import type { Fields, ResponseInit } from "../http/mod.ts";
import type { Request } from "./request.ts";
import type { H1ServerStream } from "./types.ts";

/** What a stream asks of its session. */
export interface ServerStreamPort {
  readonly congested: boolean;
  respond(stream: ServerStream, head: ResponseInit, end: boolean): void;
  sendData(stream: ServerStream, bytes: Uint8Array, end: boolean): boolean;
  sendTrailers(stream: ServerStream, fields: Fields): void;
  consume(octets: number): void;
  reset(stream: ServerStream): void;
}

/** A request as its session sees it: the public face and the state behind it. */
export class ServerStream implements H1ServerStream {
  context: unknown = undefined;
  closed = false;
  readonly version: "1.0" | "1.1";
  readonly isHead: boolean;
  readonly isTunnel: boolean;
  /** The connection goes on after the response. */
  keepAlive: boolean;
  /** A final head was written. */
  responded = false;
  /** All of the request has come. */
  received: boolean;
  /** A 101 has opened the tunnel. */
  tunnelOpen = false;
  readonly #port: ServerStreamPort;

  constructor(port: ServerStreamPort, request: Request) {
    this.#port = port;
    this.version = request.version;
    this.isHead = request.isHead;
    this.isTunnel = request.head.protocol !== "";
    this.keepAlive = request.keepAlive;
    this.received = request.framing === undefined && !this.isTunnel;
  }

  get congested(): boolean {
    return this.#port.congested;
  }

  respond(head: ResponseInit, end = false): void {
    if (!this.closed) this.#port.respond(this, head, end);
  }

  sendData(bytes: Uint8Array, end = false): boolean {
    return this.closed || this.#port.sendData(this, bytes, end);
  }

  sendTrailers(fields: Fields): void {
    if (!this.closed) this.#port.sendTrailers(this, fields);
  }

  consume(octets: number): void {
    if (!this.closed) this.#port.consume(octets);
  }

  reset(_code = 0): void {
    if (!this.closed) this.#port.reset(this);
  }
}
