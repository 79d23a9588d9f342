/**
 * A data plane with one l7 route for `a.test`, backends that speak HTTP, and clients for both.
 *
 * @module
 */
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Server } from "node:net";
import { tlsMaterialId } from "../../lib/l7/mod.ts";
import type { L7Policy, Route } from "../../lib/routes/mod.ts";
import { createServerIdentity } from "./certificates.ts";
import { connectTls, type TlsPeer } from "./clients.ts";
import { withinDeadline } from "./deadline.ts";
import { type PlaneOptions, startPlane, type TestPlane } from "./plane.ts";

/** The name that tests connect to; nobody resolves it. */
export const HOST = "a.test";

type Identity = Awaited<ReturnType<typeof createServerIdentity>>;
let made: Promise<Identity> | undefined;

/** The certificate, key and authority behind {@link HOST}; one for every test of this process. */
export function identity(): Promise<Identity> {
  return made ??= createServerIdentity(HOST, "*.wild.test", "b.test");
}

/** Settings of {@link startL7}. */
export interface L7TestOptions extends Omit<PlaneOptions, "routes"> {
  /** `host:port`. */
  readonly backend: string;
  readonly route?: Partial<Route>;
  readonly policies?: readonly L7Policy[];
  /** More routes on the same listener. */
  readonly moreRoutes?: PlaneOptions["routes"];
  readonly backendCaPem?: string;
}

/** Starts a plane whose route for {@link HOST} goes to `backend`. */
export async function startL7(options: L7TestOptions): Promise<TestPlane> {
  const { certPem, keyPem } = await identity();
  const route = { hostname: HOST, mode: "l7", backend: options.backend, ...options.route } as const;
  const routes = [
    { ...route, ...options.policies !== undefined && { policies: options.policies } },
    ...options.moreRoutes ?? [],
  ];
  const { backendCaPem } = options;
  const tls = routes.map(({ tlsCert = "", tlsKey = "", backendCa }) => ({
    id: tlsMaterialId({ tlsCert, tlsKey, ...backendCa !== undefined && { backendCa } }),
    certPem,
    keyPem,
    ...backendCaPem !== undefined && { backendCaPem },
  }));
  return await startPlane({ ...options, routes, tls });
}

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

/** What a client got. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly bytes: Uint8Array;
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What a client asks. */
export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
  readonly trailers?: Record<string, string>;
}

/** A client connection over HTTP/2 or HTTP/1.1, which asks one question after the other. */
export interface HttpClient extends AsyncDisposable {
  ask(question?: Question): Promise<Answer>;
}

/** Where a client connects. */
export interface ClientOptions {
  readonly port: number;
  readonly serverName?: string;
  /** Whom the proxy sees; any of `127.0.0.0/8`. */
  readonly localAddress?: string;
}

/** A client over HTTP/2 (`node:http2`). */
export class Http2Client implements HttpClient {
  readonly session: http2.ClientHttp2Session;

  constructor(session: http2.ClientHttp2Session) {
    this.session = session;
  }

  async ask(question: Question = {}): Promise<Answer> {
    return await withinDeadline(this.#ask(question), "the answer over HTTP/2");
  }

  #ask({ method = "GET", path = "/", authority = HOST, ...question }: Question): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const hasBody = question.body !== undefined || question.trailers !== undefined;
    const stream = this.session.request({
      ":method": method,
      ":path": path,
      ":authority": authority,
      ":scheme": "https",
      ...question.headers,
    }, { endStream: !hasBody });
    const chunks: Uint8Array[] = [];
    let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("error", reject);
    stream.on("response", (received) => headers = received);
    stream.on("trailers", (received) => trailers = received);
    stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    stream.on("close", () => {
      const bytes = Buffer.concat(chunks);
      resolve({
        status: Number(headers[":status"] ?? 0),
        headers,
        bytes,
        body: bytes.toString(),
        trailers,
      });
    });
    if (question.trailers !== undefined) {
      stream.once("wantTrailers", () => stream.sendTrailers(question.trailers ?? {}));
    }
    if (hasBody) stream.end(question.body);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, "close");
    this.session.destroy();
    await withinDeadline(closed, "the client closes");
  }
}

/** Opens a client over HTTP/2. */
export async function connectHttp2(
  { port, serverName = HOST, localAddress }: ClientOptions,
): Promise<Http2Client> {
  const { ca } = await identity();
  const session = http2.connect(`https://${serverName}:${port}`, {
    host: "127.0.0.1",
    servername: serverName,
    ca,
    ...localAddress !== undefined && { localAddress },
  });
  session.on("error", () => {});
  await withinDeadline(once(session, "connect"), "the client connects");
  return new Http2Client(session);
}

/** A client over HTTP/1.1 (`node:https`) with one connection that is kept alive. */
export class Http1Client implements HttpClient {
  readonly #agent: https.Agent;
  readonly #options: ClientOptions;

  constructor(agent: https.Agent, options: ClientOptions) {
    this.#agent = agent;
    this.#options = options;
  }

  async ask(question: Question = {}): Promise<Answer> {
    return await withinDeadline(this.#ask(question), "the answer over HTTP/1.1");
  }

  #ask({ method = "GET", path = "/", authority = HOST, ...question }: Question): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const request = https.request({
      agent: this.#agent,
      host: "127.0.0.1",
      port: this.#options.port,
      servername: this.#options.serverName ?? HOST,
      method,
      path,
      headers: {
        host: authority,
        ...question.trailers && { "transfer-encoding": "chunked" },
        ...question.headers,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        const { headers, trailers } = response;
        const status = response.statusCode ?? 0;
        resolve({ status, headers, bytes, body: bytes.toString(), trailers });
      });
    });
    if (question.trailers !== undefined) request.addTrailers(question.trailers);
    request.end(question.body);
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }
}

/** Opens a client over HTTP/1.1. */
export async function connectHttp1(options: ClientOptions): Promise<Http1Client> {
  const { ca } = await identity();
  return new Http1Client(new https.Agent({ keepAlive: true, maxSockets: 1, ca }), options);
}

/** Both kinds of clients by name. */
export const CLIENTS = { "h2": connectHttp2, "http/1.1": connectHttp1 } as const;

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

/** Opens a TLS connection that agreed on one protocol, and says nothing on it. */
export async function connectRawTls(
  { port, serverName = HOST, alpn = "http/1.1", localAddress }: ClientOptions & {
    readonly alpn?: string;
    readonly localAddress?: string;
  },
): Promise<TlsPeer> {
  const { ca } = await identity();
  return await connectTls({
    port,
    servername: serverName,
    ca,
    ALPNProtocols: [alpn],
    ...localAddress !== undefined && { localAddress },
  });
}
