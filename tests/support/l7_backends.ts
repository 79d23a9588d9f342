/** Backends that speak HTTP, as Node does. */
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { withinDeadline } from "./deadline.ts";
import { identity } from "./l7_identity.ts";

/** An HTTP server of Node, on any free port; its connections are cut when it is disposed of. */
export class HttpBackend implements AsyncDisposable {
  /** Connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.connections++;
      socket.on("error", () => {});
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, "127.0.0.1");
    await withinDeadline(once(this.#server, "listening"), "the backend listens");
    return this;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await withinDeadline(closed, "the backend closes");
  }
}

/** The protocols that a backend may speak. */
export const BACKEND_KINDS = ["h2c", "h2-tls", "http1", "http1-tls"] as const;
export type BackendKind = typeof BACKEND_KINDS[number];

/** A handler that works over both: Node's compatibility API. */
export type Handler = (
  request: http.IncomingMessage & http2.Http2ServerRequest,
  response: http.ServerResponse & http2.Http2ServerResponse,
) => void;

/** Starts a backend that answers with `handler`. */
export async function startHttpBackend(
  kind: BackendKind,
  handler: Handler,
  options: {
    /** Sets the server up before it listens. */
    readonly tune?: (server: Server) => void;
    /** Default: any free port. */
    readonly port?: number;
    /** Instead of the test's own certificate. */
    readonly pair?: { readonly certPem: string; readonly keyPem: string };
  } = {},
): Promise<HttpBackend> {
  const { certPem: cert, keyPem: key } = options.pair ?? await identity();
  const listener = handler as never;
  const server = {
    "h2c": () => http2.createServer(listener),
    "h2-tls": () => http2.createSecureServer({ cert, key }, listener),
    "http1": () => http.createServer(listener),
    "http1-tls": () => https.createServer({ cert, key }, listener),
  }[kind]() as unknown as Server;
  options.tune?.(server);
  return await new HttpBackend(server).listen(options.port);
}

/** A request as a backend over HTTP/1.1 read it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Alternating names and values as they came. */
  readonly raw: readonly string[];
  body: string;
  trailers: readonly string[];
}

/** A backend over HTTP/1.1 that keeps what it was asked and answers 200 with "ok". */
export async function startSeeingBackend(): Promise<
  HttpBackend & { readonly seen: SeenRequest[] }
> {
  const seen: SeenRequest[] = [];
  const backend = await startHttpBackend("http1", (request, response) => {
    const { method = "", url: path = "", rawHeaders: raw } = request;
    const entry: SeenRequest = { method, path, raw, body: "", trailers: [] };
    seen.push(entry);
    request.on("data", (chunk: Uint8Array) => entry.body += new TextDecoder().decode(chunk));
    request.on("end", () => {
      entry.trailers = request.rawTrailers;
      response.end("ok");
    });
  });
  return Object.assign(backend, { seen });
}

/** The values of a field of {@link SeenRequest.raw}. */
export function seenValues({ raw }: SeenRequest, name: string): string[] {
  return raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name);
}
