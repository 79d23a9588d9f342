import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { ErrorCode, type Fields, H2FieldError, type ResponseInit } from "../h2/mod.ts";
import type { Exchange } from "./exchange.ts";
import { endToEndFields, filterFields } from "./fields.ts";
import { FlowGate } from "./flow_gate.ts";
import type { FrontStream } from "./message.ts";

const NOTHING = new Uint8Array(0);

/** A request of HTTP/1.1 and the place for its response. */
export class Http1FrontStream implements FrontStream {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #gate: FlowGate;
  readonly #isLast: () => boolean;
  #exchange: Exchange | undefined;
  #requestEnded = false;

  /** `isLast`: the connection ends with this response. */
  constructor(request: IncomingMessage, response: ServerResponse, isLast: () => boolean) {
    this.#isLast = isLast;
    this.#request = request;
    this.#response = response;
    this.#gate = new FlowGate(request);
    response.sendDate = false; // The backend's own, or none.
    request.on("error", () => {}); // "aborted"; "close" below tells of it.
  }

  /** The request has no content: neither a length nor chunks. */
  get bodiless(): boolean {
    const { headers } = this.#request;
    return headers["transfer-encoding"] === undefined &&
      Number(headers["content-length"] ?? 0) === 0;
  }

  /** Answers with a short text; for requests that never become an exchange. */
  refuse(status: number, phrase: string): void {
    const body = `${status} ${phrase}\n`;
    this.#response.writeHead(status, [
      "Content-Type",
      "text/plain; charset=utf-8",
      "Content-Length",
      String(body.length),
    ]);
    this.#response.end(body);
    this.#request.resume();
  }

  /** Starts the request's content flowing into its exchange. */
  attach(exchange: Exchange): void {
    this.#exchange = exchange;
    const request = this.#request;
    const response = this.#response;
    response.on("drain", () => exchange.frontDrained());
    response.on("close", () => {
      // A response that was written whole may close before its request has ended.
      if (!response.writableFinished) exchange.frontGone(ErrorCode.cancel, "the client left");
    });
    if (this.bodiless) {
      this.#requestEnded = true;
      request.resume();
      return;
    }
    request.on("data", (bytes: Uint8Array) => {
      this.#gate.passed(bytes.length);
      exchange.requestData(bytes, false);
    });
    request.on("end", () => {
      this.#requestEnded = true;
      const trailers = endToEndFields(request.rawTrailers);
      if (trailers.length > 0) exchange.requestTrailers(trailers);
      else exchange.requestData(NOTHING, true);
    });
  }

  respond(head: ResponseInit, endStream = false): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    if (head.status < 200) return this.#inform(head);
    // Content that nobody wants any more stands between this response and the next request.
    if (this.#isLast() || (endStream && !this.#requestEnded)) response.shouldKeepAlive = false;
    try {
      // `Trailer` announces what only chunks can carry; whether there will be chunks, Node decides.
      response.writeHead(head.status, filterFields(head.fields, (name) => name !== "trailer"));
    } catch (error) {
      throw new H2FieldError("a field or status that HTTP/1.1 cannot carry", { cause: error });
    }
    if (endStream) response.end();
    // Together with the content if that comes at once; by itself if it does not (SSE).
    else queueMicrotask(() => response.writableEnded || response.flushHeaders());
  }

  sendData(bytes: Uint8Array, endStream = false): boolean {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) return true;
    if (!endStream) return response.write(bytes);
    if (bytes.length > 0) response.end(bytes);
    else response.end();
    return true;
  }

  sendTrailers(fields: Fields): void {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) return;
    const pairs: [string, string][] = [];
    for (let i = 0; i < fields.length; i += 2) {
      pairs.push([fields[i] as string, fields[i + 1] as string]);
    }
    if (response.chunkedEncoding) response.addTrailers(pairs);
    response.end();
  }

  consume(octets: number): void {
    this.#gate.consumed(octets);
  }

  /** HTTP/1.1 can only break the connection off, or end it after the response. */
  reset(code: number): void {
    this.#exchange = undefined;
    const { socket } = this.#response;
    if (code !== ErrorCode.noError || !this.#response.writableEnded) {
      this.#response.destroy();
      this.#request.socket.destroy();
      return;
    }
    // The rest of the request is not read: the connection ends with this response.
    const end = () => (socket ?? this.#request.socket).destroySoon();
    if (this.#response.writableFinished) end();
    else this.#response.once("finish", end);
  }

  #inform({ status, fields }: ResponseInit): void {
    const { socket } = this.#response;
    // Not for HTTP/1.0 (RFC 9110 §15.2), and only while this response is the one being written.
    if (this.#request.httpVersion !== "1.1" || socket === null) return;
    if (status === 100) return this.#response.writeContinue();
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
    socket.write(`${text}\r\n`, "latin1");
  }
}
