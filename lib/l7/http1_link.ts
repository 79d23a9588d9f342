import http, { type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ErrorCode, type Fields, type RequestInit } from "../h2/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { LinkEvents } from "../upstream/mod.ts";
import { Ear } from "./ear.ts";
import { endToEndFields } from "./fields.ts";
import { FlowGate } from "./flow_gate.ts";
import type { BackendFailure, BackendStream, ResponseHandler, Transport } from "./message.ts";
import { tunnelRequest, tunnelResponse } from "./websocket.ts";

/** Response heads larger than this are refused, as on the client's side. */
const MAX_HEADER_OCTETS = 64 * 1024;

const NOTHING = new Uint8Array(0);
/** Statuses whose responses have no content (RFC 9110 §6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** An agent for one connection that is open already. */
class OneSocketAgent extends http.Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override getName(): string {
    return "backend";
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}

/** A backend connection over HTTP/1.1, framed by `node:http`. */
export class Http1Link implements Transport {
  readonly protocol = "http/1.1";
  readonly takesTunnels = true;
  readonly greeted = true;
  readonly capacity = 1;
  readonly #events: LinkEvents;
  readonly #socket: Socket;
  readonly #agent: OneSocketAgent;
  readonly #ear = new Ear();
  #busy = false;
  #settled = true;
  #closed = false;
  #byUs = false;

  constructor(socket: Socket, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#agent = new OneSocketAgent(socket);
    this.#agent.on("free", () => {
      if (socket.destroyed) return;
      this.#busy = false;
      events.onAvailable();
    });
    socket.on("data", (bytes: Uint8Array) => this.#ear.hear(bytes));
    socket.once("close", () => this.#close("the backend closed the connection"));
    socket.once("end", () => this.#busy || socket.destroy());
  }

  get available(): boolean {
    return !this.#busy && !this.#closed && !this.#socket.destroyed;
  }

  get settled(): boolean {
    return this.#settled;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    this.#busy = true;
    this.#settled = false;
    const isTunnel = head.protocol !== undefined && head.protocol !== "";
    const outgoing = isTunnel ? tunnelRequest(head) : plainRequest(head, endStream);
    const request = http.request({
      agent: this.#agent,
      method: outgoing.method,
      path: head.path,
      setHost: false,
      headers: outgoing.fields,
      maxHeaderSize: MAX_HEADER_OCTETS,
    });
    const stream = new Http1Stream(request, handler, {
      method: outgoing.method,
      key: outgoing.key,
      onNotHttp: () => {},
      onComplete: () => this.#settled = request.writableEnded,
    });
    // A tunnel's request has no content: what the client sends follows the 101.
    if (endStream || isTunnel) request.end();
    else request.flushHeaders();
    return stream;
  }

  tick(): void {}

  shutdown(): void {
    if (!this.#busy) this.destroy("shutdown");
  }

  destroy(reason: string): void {
    this.#byUs = true;
    this.#socket.destroy();
    this.#close(reason);
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#agent.destroy();
    this.#events.onClosed({ reason, heard: this.#ear.heard, byUs: this.#byUs });
  }
}

/** A request as `node:http` takes it. */
interface Outgoing {
  readonly method: string;
  readonly fields: string[];
  /** `Sec-WebSocket-Key` of a tunnel. */
  readonly key?: string;
}

function plainRequest(head: RequestInit, endStream: boolean): Outgoing {
  const fields: string[] = ["Host", head.authority];
  let framed = false;
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i] as string;
    // `te: trailers` would need a place in `Connection`; nobody over HTTP/1.1 asks for it.
    if (name === "te") continue;
    if (name === "content-length") framed = true;
    fields.push(name, head.fields[i + 1] as string);
  }
  if (!framed && !endStream) fields.push("Transfer-Encoding", "chunked");
  else if (!framed && head.method !== "GET" && head.method !== "HEAD") {
    fields.push("Content-Length", "0");
  }
  return { method: head.method, fields };
}

/** The request and the response of one exchange. */
class Http1Stream implements BackendStream {
  readonly #request: ClientRequest;
  readonly #handler: ResponseHandler;
  readonly #method: string;
  readonly #key: string | undefined;
  readonly #onNotHttp: () => void;
  readonly #onComplete: () => void;
  #gate: FlowGate | undefined;
  /** After a 101. */
  #tunnel: Duplex | undefined;
  /** What the client sent before the 101. */
  #early: Uint8Array[] = [];
  #over = false;

  constructor(request: ClientRequest, handler: ResponseHandler, options: {
    readonly method: string;
    readonly key: string | undefined;
    readonly onNotHttp: () => void;
    /** The response is complete. */
    readonly onComplete: () => void;
  }) {
    this.#request = request;
    this.#handler = handler;
    this.#method = options.method;
    this.#key = options.key;
    this.#onNotHttp = options.onNotHttp;
    this.#onComplete = options.onComplete;
    request.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    request.on("information", (info) => {
      const fields = endToEndFields(info.rawHeaders);
      if (!this.#over) {
        handler.onResponse({ status: info.statusCode, fields, contentLength: -1 }, false);
      }
    });
    request.on("response", (response) => this.#respond(response));
    request.on("upgrade", (response, socket, first) => this.#upgrade(response, socket, first));
    request.on("drain", () => this.#over || handler.onDrain());
  }

  sendData(bytes: Uint8Array, endStream: boolean): boolean {
    if (this.#over) return true;
    if (this.#key !== undefined) return this.#sendToTunnel(bytes, endStream);
    if (!endStream) return this.#request.write(bytes);
    if (bytes.length > 0) this.#request.end(bytes);
    else this.#request.end();
    return true;
  }

  sendTrailers(fields: Fields): void {
    if (this.#over) return;
    const pairs: [string, string][] = [];
    for (let i = 0; i < fields.length; i += 2) {
      pairs.push([fields[i] as string, fields[i + 1] as string]);
    }
    this.#request.addTrailers(pairs);
    this.#request.end();
  }

  consume(octets: number): void {
    this.#gate?.consumed(octets);
  }

  reset(_code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#request.destroy();
    this.#tunnel?.destroy();
  }

  #respond(response: IncomingMessage): void {
    if (this.#over) return void response.destroy();
    const fields = endToEndFields(response.rawHeaders);
    const status = response.statusCode ?? 0;
    if (this.#key !== undefined) this.#early = [];
    const contentLength = Number(response.headers["content-length"] ?? -1);
    const empty = this.#method === "HEAD" || BODILESS.has(status) || contentLength === 0;
    response.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    if (empty) {
      this.#over = true;
      this.#onComplete();
    }
    this.#handler.onResponse({ status, fields, contentLength }, empty);
    if (empty) return void response.resume();
    this.#gate = new FlowGate(response);
    response.on("data", (bytes: Uint8Array) => {
      if (this.#over) return;
      this.#gate?.passed(bytes.length);
      this.#handler.onData(bytes, false);
    });
    response.on("end", () => this.#endResponse(response));
  }

  #endResponse(response: IncomingMessage): void {
    if (this.#over) return;
    if (!response.complete) return this.#fail(new Error("the response was cut off"));
    this.#over = true;
    this.#onComplete();
    const trailers = endToEndFields(response.rawTrailers);
    if (trailers.length > 0) this.#handler.onTrailers(trailers);
    else this.#handler.onData(NOTHING, true);
  }

  /** Switching protocols without being asked, or to another one, is no answer to our request. */
  #upgrade(response: IncomingMessage, socket: Duplex, first: Uint8Array): void {
    const fields = this.#key === undefined
      ? undefined
      : tunnelResponse(response.rawHeaders, this.#key);
    if (this.#over || fields === undefined) {
      socket.destroy();
      if (!this.#over) this.#fail(new Error("an unexpected 101"));
      return;
    }
    this.#tunnel = socket;
    socket.on("error", (error: NodeJS.ErrnoException) => this.#fail(error));
    this.#gate = new FlowGate(socket);
    this.#handler.onResponse({ status: 101, fields, contentLength: -1 }, false);
    const pass = (bytes: Uint8Array) => {
      if (this.#over) return;
      this.#gate?.passed(bytes.length);
      this.#handler.onData(bytes, false);
    };
    if (first.length > 0) pass(first);
    socket.on("data", pass);
    socket.on("drain", () => this.#over || this.#handler.onDrain());
    socket.on("end", () => this.#endTunnel());
    socket.on("close", () => this.#endTunnel());
    for (const bytes of this.#early.splice(0)) socket.write(bytes);
    this.#handler.onDrain();
  }

  #endTunnel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#tunnel?.end();
    this.#handler.onData(NOTHING, true);
  }

  #sendToTunnel(bytes: Uint8Array, endStream: boolean): boolean {
    if (this.#tunnel === undefined) {
      if (bytes.length > 0) this.#early.push(bytes);
      return bytes.length === 0; // Not consumed before the 101: the client's window is the bound.
    }
    const room = bytes.length === 0 || this.#tunnel.write(bytes);
    if (endStream) this.#tunnel.end();
    return room;
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#over) return;
    this.#over = true;
    this.#request.destroy();
    this.#tunnel?.destroy();
    if (error.code?.startsWith("HPE_")) this.#onNotHttp();
    this.#handler.onFailure(failureOf(error));
  }
}

function failureOf(error: NodeJS.ErrnoException): BackendFailure {
  return {
    kind: error.code?.startsWith("HPE_") ? "invalid" : "reset",
    reason: `the backend's connection: ${describeError(error)}`,
    unprocessed: false,
    code: ErrorCode.internalError,
  };
}
