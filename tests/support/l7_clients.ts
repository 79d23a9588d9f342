/** Clients of an l7 route, over HTTP/2 and HTTP/1.1. */
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import { connectTls, type TlsPeer } from "./clients.ts";
import { withinDeadline } from "./deadline.ts";
import { HOST, identity } from "./l7_identity.ts";

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
