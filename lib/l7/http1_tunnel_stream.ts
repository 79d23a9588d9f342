import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ErrorCode, type Fields, type ResponseInit } from "../h2/mod.ts";
import type { Exchange } from "./exchange.ts";
import { fieldValue } from "./fields.ts";
import { FlowGate } from "./flow_gate.ts";
import type { FrontStream } from "./message.ts";
import { acceptOf, WEBSOCKET } from "./websocket.ts";

const NOTHING = new Uint8Array(0);

/**
 * A connection whose client asked for a WebSocket: Node's server has let go of it. With the 101 it
 * becomes a tunnel; with any other answer it ends.
 */
export class Http1TunnelStream implements FrontStream {
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #gate: FlowGate;
  #exchange: Exchange | undefined;
  #open = false;
  #ended = false;

  constructor(request: IncomingMessage, socket: Duplex) {
    this.#request = request;
    this.#socket = socket;
    this.#gate = new FlowGate(socket);
  }

  /** Starts the client's octets flowing; `first` came together with the head. */
  attach(exchange: Exchange, first: Uint8Array): void {
    this.#exchange = exchange;
    const socket = this.#socket;
    const pass = (bytes: Uint8Array) => {
      this.#gate.passed(bytes.length);
      exchange.requestData(bytes, false);
    };
    socket.on("drain", () => exchange.frontDrained());
    socket.on("end", () => exchange.requestData(NOTHING, true));
    socket.on("close", () => exchange.frontGone(ErrorCode.cancel, "the client left"));
    // After the caller has routed the exchange.
    queueMicrotask(() => {
      if (first.length > 0) pass(first);
      socket.on("data", pass);
    });
  }

  respond({ status, fields }: ResponseInit, endStream = false): void {
    if (this.#open || this.#ended) return;
    const isTunnel = status === 101 || (status === 200 && this.#exchange?.head.protocol !== "");
    if (status < 200 && !isTunnel) return;
    const lines = [
      `HTTP/1.1 ${isTunnel ? 101 : status} ${STATUS_CODES[isTunnel ? 101 : status] ?? ""}`,
    ];
    if (isTunnel) lines.push("Connection: Upgrade", `Upgrade: ${WEBSOCKET}`);
    else lines.push("Connection: close");
    for (let i = 0; i < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
    if (isTunnel && fieldValue(fields, "sec-websocket-accept") === undefined) {
      lines.push(`sec-websocket-accept: ${acceptOf(this.#key)}`);
    }
    this.#open = true;
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    if (endStream) this.#end();
  }

  sendData(bytes: Uint8Array, endStream = false): boolean {
    if (this.#ended || this.#socket.destroyed) return true;
    const room = bytes.length === 0 || this.#socket.write(bytes);
    if (endStream) this.#end();
    return room;
  }

  sendTrailers(_fields: Fields): void {
    this.#end();
  }

  consume(octets: number): void {
    this.#gate.consumed(octets);
  }

  reset(code: number): void {
    if (code === ErrorCode.noError && this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
  }

  get #key(): string {
    return this.#request.headers["sec-websocket-key"] ?? "";
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.end();
    // What the client still sends goes nowhere.
    this.#socket.resume();
  }
}
