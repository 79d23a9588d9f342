import type http2 from "node:http2";
import type { ClientHttp2Stream } from "node:http2";
import { ErrorCode, errorName, type Fields, type ResponseHead } from "../h2/mod.ts";
import { describeError } from "../observe/mod.ts";
import { fieldValue, filterFields } from "./fields.ts";
import { FlowGate } from "./flow_gate.ts";
import type { BackendStream, ResponseHandler } from "./message.ts";

/** Flag of a HEADERS frame that ends its stream. */
const END_STREAM = 1;
/** What each field counts beside its octets (RFC 9113 section 10.5.1). */
const FIELD_OVERHEAD = 32;
const NOTHING = new Uint8Array(0);

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

/** What a stream needs of its connection. */
export interface StreamLink {
  readonly touched: () => void;
  readonly maxHead: number;
}

/** One request to a backend, framed by `node:http2`. */
export class NodeH2Stream implements BackendStream {
  readonly #stream: ClientHttp2Stream;
  readonly #handler: ResponseHandler;
  readonly #link: StreamLink;
  #gate: FlowGate | undefined;
  #trailers: Fields | undefined;
  #requestTrailers: Fields = [];
  #responded = false;
  /** Content that the response declared, in octets; -1: it did not. */
  #expected = -1;
  #received = 0;
  #over = false;

  constructor(stream: ClientHttp2Stream, handler: ResponseHandler, link: StreamLink) {
    this.#stream = stream;
    this.#handler = handler;
    this.#link = link;
    // The third argument, the raw list, is in Node's documentation but not in the types.
    const on = stream.on.bind(stream) as (event: string, listener: AnyListener) => void;
    on("error", later((error) => this.#fail(describeError(error))));
    on("headers", later((_headers, _flags, raw) => this.#inform(raw as RawList)));
    on("response", later((_headers, flags, raw) => this.#respond(Number(flags), raw as RawList)));
    on("trailers", later((_headers, _flags, raw) => this.#keepTrailers((raw as RawList) ?? [])));
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
    if (this.#isTooLarge(raw)) return this.#refuse("an interim response is too large");
    const head = responseHead(raw);
    if (!this.#over && head !== undefined) this.#handler.onResponse(head, false);
  }

  #respond(flags: number, raw: readonly string[] | undefined): void {
    if (this.#over) return;
    this.#link.touched();
    if (this.#isTooLarge(raw)) return this.#refuse("the response's head is too large");
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

  #keepTrailers(raw: readonly string[]): void {
    if (this.#isTooLarge(raw)) return this.#refuse("the response's trailers are too large");
    this.#trailers = raw;
  }

  #isTooLarge(raw: RawList): boolean {
    return raw !== undefined && listSize(raw) > this.#link.maxHead;
  }

  /** An answer that came and that nobody is to get: not one to ask for again. */
  #refuse(reason: string): void {
    if (this.#over) return;
    this.#responded = true;
    this.#fail(reason);
    if (!this.#stream.destroyed) this.#stream.close(ErrorCode.cancel);
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

/** Octets of a list of names and values, latin1, as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
function listSize(raw: readonly string[]): number {
  let size = (raw.length / 2) * FIELD_OVERHEAD;
  for (const text of raw) size += text.length;
  return size;
}

function responseHead(raw: readonly string[] | undefined): ResponseHead | undefined {
  if (raw === undefined || raw[0] !== ":status") return undefined;
  const fields = filterFields(raw, (name) => !name.startsWith(":"));
  const contentLength = Number(fieldValue(fields, "content-length") ?? -1);
  return { status: Number(raw[1]), fields, contentLength };
}
