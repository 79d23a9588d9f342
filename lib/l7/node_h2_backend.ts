import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import {
  ErrorCode,
  errorName,
  type Fields,
  type RequestInit,
  type ResponseHead,
} from "../h2/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type LinkEvents, Liveness } from "../upstream/mod.ts";
import { fieldValue, filterFields } from "./fields.ts";
import { FlowGate } from "./flow_gate.ts";
import type { BackendConnection, BackendStream, ResponseHandler } from "./message.ts";

/** The same windows as lib/h2's limits for backends, in octets. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 32 * 1024 * 1024;
/** Flag of a HEADERS frame that ends its stream. */
const END_STREAM = 1;
const NOTHING = new Uint8Array(0);

/** A backend connection framed by `node:http2`. */
export class NodeH2Backend implements BackendConnection {
  readonly protocol = "h2";
  readonly settled = true;
  readonly #events: LinkEvents;
  readonly #session: ClientHttp2Session;
  readonly #now: () => number;
  readonly #liveness: Liveness;
  #greeted = false;
  #closed = false;
  #draining = false;
  #streams = 0;
  #full = false;
  #byUs = false;
  #reason = "the backend closed the connection";

  constructor(
    socket: Socket,
    { events, now }: { readonly events: LinkEvents; readonly now: () => number },
  ) {
    this.#events = events;
    this.#now = now;
    this.#liveness = new Liveness(now());
    const session = http2.connect("http://backend", {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    this.#session = session;
    session.on("error", (error) => this.#reason = describeError(error));
    session.on("goaway", () => {
      this.#draining = true;
      // The session's heap does not survive being closed inside this event (Deno 2.9.6).
      setTimeout(() => events.onDraining(), 0);
    });
    session.on("close", () => this.#close());
    session.on("remoteSettings", () => {
      this.#liveness.heard(this.#now());
      if (this.#greeted) return;
      this.#greeted = true;
      events.onGreeted();
    });
    session.setLocalWindowSize(CONNECTION_WINDOW);
  }

  get greeted(): boolean {
    return this.#greeted && !this.#closed;
  }

  get capacity(): number {
    return this.#session.remoteSettings?.maxConcurrentStreams ?? Infinity;
  }

  get available(): boolean {
    const open = !this.#closed && !this.#draining && !this.#session.closed &&
      this.#streams < this.capacity;
    if (!open) this.#full = true;
    return open;
  }

  get takesTunnels(): boolean {
    return this.#session.remoteSettings?.enableConnectProtocol === true;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    const block = [":method", head.method, ":scheme", head.scheme, ":authority", head.authority];
    block.push(":path", head.path);
    if (head.protocol !== undefined && head.protocol !== "") block.push(":protocol", head.protocol);
    block.push(...head.fields);
    // The array form keeps order and duplicates, and no field name meets an object's prototype.
    const stream = this.#session.request(block as unknown as http2.OutgoingHttpHeaders, {
      endStream,
      waitForTrailers: !endStream,
    });
    this.#streams++;
    this.#liveness.begin(this.#now());
    stream.once("close", () => this.#streamClosed());
    return new NodeH2Stream(stream, handler, {
      touched: () => this.#liveness.heard(this.#now()),
    });
  }

  tick(now: number): void {
    if (this.#closed) return;
    const verdict = this.#liveness.check(now, this.#streams > 0);
    if (verdict === "ask") this.#session.ping(() => this.#liveness.heard(this.#now()));
    if (verdict === "dead") this.#end("no answer to PING");
  }

  shutdown(): void {
    this.#draining = this.#byUs = true;
    this.#session.close();
  }

  destroy(reason: string): void {
    this.#byUs = true;
    this.#end(reason);
  }

  #end(reason: string): void {
    this.#reason = reason;
    this.#session.destroy();
  }

  #streamClosed(): void {
    this.#streams--;
    if (!this.#full || !this.available) return;
    this.#full = false;
    this.#events.onAvailable();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.onClosed({ reason: this.#reason, heard: "nothing", byUs: this.#byUs });
  }
}

type AnyListener = (...args: unknown[]) => void;
type RawList = readonly string[] | undefined;

/**
 * Events are passed on after the callback of the native session has returned, in their order. A
 * write to a TLS socket from inside it is never reported as done (Deno 2.9.6), and the connection
 * to the client stands still.
 */
function later(listener: AnyListener): AnyListener {
  return (...args) => queueMicrotask(() => listener(...args));
}

/** One request. */
class NodeH2Stream implements BackendStream {
  readonly #stream: ClientHttp2Stream;
  readonly #handler: ResponseHandler;
  readonly #link: { readonly touched: () => void };
  #gate: FlowGate | undefined;
  #trailers: Fields | undefined;
  #requestTrailers: Fields = [];
  #responded = false;
  /** Content that the response declared, in octets; -1: it did not. */
  #expected = -1;
  #received = 0;
  #over = false;

  constructor(stream: ClientHttp2Stream, handler: ResponseHandler, link: {
    readonly touched: () => void;
  }) {
    this.#stream = stream;
    this.#handler = handler;
    this.#link = link;
    // The third argument, the raw list, is in Node's documentation but not in the types.
    const on = stream.on.bind(stream) as (event: string, listener: AnyListener) => void;
    on("error", later((error) => this.#fail(describeError(error))));
    on("headers", later((_headers, _flags, raw) => this.#inform(raw as RawList)));
    on("response", later((_headers, flags, raw) => this.#respond(Number(flags), raw as RawList)));
    on("trailers", later((_headers, _flags, raw) => this.#trailers = (raw as RawList) ?? []));
    // Without an answer to this event the request would stay open.
    stream.once("wantTrailers", () => {
      stream.sendTrailers(toHeaders(this.#requestTrailers));
    });
    on("drain", later(() => this.#over || this.#handler.onDrain()));
    on("end", later(() => this.#end()));
    on("close", later(() => this.#fail("the stream was closed")));
  }

  sendData(bytes: Uint8Array, endStream: boolean): boolean {
    if (this.#over || this.#stream.destroyed || this.#stream.writableEnded) return true;
    if (!endStream) return this.#stream.write(bytes);
    if (bytes.length > 0) this.#stream.end(bytes);
    else this.#stream.end();
    return true;
  }

  sendTrailers(fields: Fields): void {
    if (this.#over || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#requestTrailers = fields;
    this.#stream.end();
  }

  consume(octets: number): void {
    this.#gate?.consumed(octets);
  }

  reset(code: number): void {
    this.#over = true;
    if (!this.#stream.destroyed) this.#stream.close(code);
  }

  #inform(raw: readonly string[] | undefined): void {
    const head = responseHead(raw);
    if (!this.#over && head !== undefined) this.#handler.onResponse(head, false);
  }

  #respond(flags: number, raw: readonly string[] | undefined): void {
    if (this.#over) return;
    this.#link.touched();
    const head = responseHead(raw);
    if (head === undefined) return this.#fail("a response without a status");
    const end = (flags & END_STREAM) !== 0;
    this.#responded = true;
    this.#expected = head.contentLength;
    if (end) this.#over = true;
    this.#handler.onResponse(head, end);
    // Data may flow before this event; only now is there anybody to take it.
    if (end) return void this.#stream.resume();
    this.#gate = new FlowGate(this.#stream);
    const pass = later((bytes) => {
      if (!this.#over) this.#handler.onData(bytes as Uint8Array, false);
    });
    this.#stream.on("data", (bytes: Uint8Array) => {
      this.#link.touched();
      this.#received += bytes.length;
      this.#gate?.passed(bytes.length);
      pass(bytes);
    });
  }

  #end(): void {
    if (this.#over || !this.#responded) return;
    // A stream that was reset ends too; its "close" comes with the code.
    if (this.#stream.rstCode !== undefined && this.#stream.rstCode !== ErrorCode.noError) return;
    if (this.#expected >= 0 && this.#received !== this.#expected) {
      return this.#fail("less content than it declared");
    }
    this.#over = true;
    if (this.#trailers !== undefined) this.#handler.onTrailers(this.#trailers);
    else this.#handler.onData(NOTHING, true);
  }

  #fail(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    const code = this.#stream.rstCode ?? ErrorCode.internalError;
    this.#handler.onFailure({
      kind: "reset",
      reason: `the backend's stream ended: ${reason}, ${errorName(code)}`,
      unprocessed: code === ErrorCode.refusedStream,
      untouched: !this.#responded,
      code: code === ErrorCode.noError ? ErrorCode.internalError : code,
    });
  }
}

/** Unlike requests, trailers have no array form; without a prototype any name is safe. */
function toHeaders(fields: Fields): http2.OutgoingHttpHeaders {
  const headers: Record<string, string[]> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    (headers[fields[i] as string] ??= []).push(fields[i + 1] as string);
  }
  return headers;
}

function responseHead(raw: readonly string[] | undefined): ResponseHead | undefined {
  if (raw === undefined || raw[0] !== ":status") return undefined;
  const fields = filterFields(raw, (name) => !name.startsWith(":"));
  const contentLength = Number(fieldValue(fields, "content-length") ?? -1);
  return { status: Number(raw[1]), fields, contentLength };
}
