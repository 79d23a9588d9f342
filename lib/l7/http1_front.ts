import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Client, Front } from "./client.ts";
import { http1Head, http1TunnelHead } from "./http1_head.ts";
import { Http1FrontStream } from "./http1_front_stream.ts";
import { Http1TunnelStream } from "./http1_tunnel_stream.ts";
import { reasonPhrase } from "./local_reply.ts";

/** A head larger than this is answered 431, in octets; as for HTTP/2. */
const MAX_HEADER_OCTETS = 64 * 1024;
/** From the first octet of a connection to the end of its first head, in milliseconds. */
const FIRST_HEAD_MS = 10_000;
/** From the end of a response to the end of the next head, in milliseconds (nginx: 75 s idle). */
const NEXT_HEAD_MS = 60_000;
/** Requests sent ahead of their responses; browsers send none, and each costs memory. */
const MAX_PIPELINED = 16;

/** What the server knows of a socket. */
const FRONTS = new WeakMap<Duplex, Http1Front>();

/**
 * The HTTP/1.1 parser and server of one worker; sockets are given to it. Node's own timeouts only
 * run on a server that listens, so each connection has its own here.
 */
export function createHttp1Server(): http.Server {
  const server = http.createServer({
    maxHeaderSize: MAX_HEADER_OCTETS,
    insecureHTTPParser: false,
    requireHostHeader: false, // Checked with the rest of the head.
    keepAliveTimeout: NEXT_HEAD_MS,
  });
  // Node would drop what is above its limit, silently; the size limit bounds the number.
  server.maxHeadersCount = 0;
  server.on("request", (request, response) => frontOf(request)?.request(request, response));
  // Answered when a backend is ready for the content, not before.
  server.on("checkContinue", (request, response) => frontOf(request)?.request(request, response));
  server.on(
    "checkExpectation",
    (request, response) => frontOf(request)?.request(request, response),
  );
  server.on(
    "upgrade",
    (request, socket, first) => frontOf(request)?.upgrade(request, socket, first),
  );
  server.on("connect", (request, socket) => frontOf(request)?.refuseRaw(socket, 501));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    FRONTS.get(socket)?.refuseRaw(socket, statusOfParseError(error));
  });
  return server;
}

/** The HTTP/1.1 side of one client. */
export class Http1Front implements Front {
  readonly #server: http.Server;
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #now: () => number;
  readonly #onClosing: () => void;
  #waitsSince: number;
  #limitMs = FIRST_HEAD_MS;
  #open = 0;
  #closing = false;
  /** The connection is a tunnel now; HTTP has no say any more. */
  #tunnel = false;

  constructor(socket: Socket, client: Client, options: {
    readonly server: http.Server;
    readonly now: () => number;
    /** The connection is being ended from this side. */
    readonly onClosing: () => void;
  }) {
    this.#server = options.server;
    this.#socket = socket;
    this.#client = client;
    this.#now = options.now;
    this.#onClosing = options.onClosing;
    this.#waitsSince = options.now();
    FRONTS.set(socket, this);
    this.#server.emit("connection", socket);
  }

  shutdown(): void {
    this.#closing = true;
    if (this.#open === 0 && !this.#tunnel) this.#end();
  }

  tick(now: number, _idleMs: number): void {
    if (this.#open > 0 || this.#tunnel || now - this.#waitsSince < this.#limitMs) return;
    this.#end();
  }

  /** A request whose head is complete. */
  request(request: IncomingMessage, response: ServerResponse): void {
    if (++this.#open > MAX_PIPELINED) return this.refuseRaw(this.#socket, 503);
    const head = http1Head(request);
    response.once("close", () => this.#ended());
    if (typeof head === "number") response.shouldKeepAlive = false;
    const stream = new Http1FrontStream(request, response, () => this.#closing);
    if (typeof head === "number") return stream.refuse(head, reasonPhrase(head));
    const protocol = request.httpVersion === "1.0" ? "http/1.0" : "http/1.1";
    const exchange = this.#client.begin(stream, { head, endStream: stream.bodiless, protocol });
    stream.attach(exchange);
    this.#client.route(exchange);
  }

  /** A request to turn the connection into something else. */
  upgrade(request: IncomingMessage, socket: Duplex, first: Uint8Array): void {
    const head = http1TunnelHead(request);
    if (typeof head === "number" || this.#open > 0) {
      return this.refuseRaw(socket, typeof head === "number" ? head : 400);
    }
    this.#tunnel = true;
    const stream = new Http1TunnelStream(request, socket);
    const exchange = this.#client.begin(stream, { head, endStream: false, protocol: "http/1.1" });
    stream.attach(exchange, first);
    this.#client.route(exchange);
  }

  /** Answers what never became a request, and closes. */
  refuseRaw(socket: Duplex, status: number): void {
    // In the middle of a response an answer would be read as part of it.
    if (!socket.writable || this.#open > 0) return void socket.destroy();
    const body = `${status} ${reasonPhrase(status)}\n`;
    socket.end(
      `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  }

  #ended(): void {
    this.#open--;
    this.#waitsSince = this.#now();
    this.#limitMs = NEXT_HEAD_MS;
    if (this.#closing && this.#open === 0) this.#end();
  }

  /** A client that does not do its part is not waited for long. */
  #end(): void {
    this.#socket.end();
    this.#onClosing();
  }
}

function frontOf(request: IncomingMessage): Http1Front | undefined {
  return FRONTS.get(request.socket);
}

function statusOfParseError(error: NodeJS.ErrnoException): number {
  return error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
}
