import { chmodSync, renameSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { parseListenEndpoint } from "../addr/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";

/** Prometheus, a load balancer and an operator, each with a second connection. */
const MAX_READERS = 16;
/** For the head of a request and for the whole of it; there are no bodies. */
const REQUEST_TIMEOUT_MS = 5000;
/** Scrapes come every 15 s to a minute; keeping the connection saves a handshake each. */
const KEEP_ALIVE_MS = 65_000;
/** Requests have a short path and few fields. */
const MAX_HEADER_BYTES = 8 * 1024;
const SOCKET_MODE = 0o600;

/** What the endpoint serves. */
export interface EndpointOptions {
  /** `host:port` in its canonical form, or the path of a Unix socket. */
  readonly addr: string;
  readonly contentType: string;
  readonly render: () => Promise<string>;
  readonly health: () => EndpointHealth;
  readonly log: LogSink;
}

/** What `/healthz` says. */
export interface EndpointHealth {
  /** `serving` is answered 200, anything else 503. */
  readonly state: string;
  readonly problems: readonly string[];
  /** What is refused while it serves. */
  readonly refusals: readonly string[];
  /** What will become a problem. */
  readonly warnings: readonly string[];
}

/** The metrics' address cannot be bound. */
export class EndpointError extends Error {
  override readonly name = "EndpointError";
  readonly code = "metrics_unavailable";
}

/**
 * `/metrics` and `/healthz` over HTTP. In the thread of the control plane: it is for machines of
 * our own, on a loopback or internal address, and what it costs is bounded by a few connections.
 * Never for the public: `node:http` is there for want of anything smaller, not for its armour.
 */
export class MetricsEndpoint implements AsyncDisposable {
  readonly #server: Server;
  readonly #socketFile: { readonly path: string; readonly inode: number } | undefined;

  private constructor(server: Server, socketPath: string | undefined) {
    this.#server = server;
    this.#socketFile = socketPath === undefined
      ? undefined
      : { path: socketPath, inode: statSync(socketPath).ino };
  }

  /**
   * Binds the address. A process that takes over from another shares its port (SO_REUSEPORT) and
   * replaces its socket file.
   *
   * @throws {EndpointError}
   */
  static async open(options: EndpointOptions): Promise<MetricsEndpoint> {
    const { addr, log } = options;
    const server = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    }, (request, response) => {
      answer(request, response, options).catch((error) => {
        const fields = { error: describeError(error) };
        log({ level: "error", message: "metrics could not be rendered", fields });
        response.destroy();
      });
    });
    server.maxConnections = MAX_READERS;
    server.on("connection", (socket) => socket.on("error", () => {}));
    server.on("clientError", (_error, socket) => socket.destroy());
    const path = addr.includes("/") ? addr : undefined;
    try {
      await (path === undefined ? listenTcp(server, addr) : listenUnix(server, path));
      return new MetricsEndpoint(server, path);
    } catch (error) {
      const message = `cannot serve metrics at ${addr}: ${describeError(error)}`;
      throw new EndpointError(message, { cause: error });
    }
  }

  /** The port, also when it was configured as 0; undefined for a Unix socket. */
  get port(): number | undefined {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : undefined;
  }

  /** Stops answering at once: while this process drains, its successor is asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
    const file = this.#socketFile;
    // A successor has put its own socket there.
    if (file !== undefined && inodeOf(file.path) === file.inode) rmSync(file.path, { force: true });
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { contentType, render, health }: EndpointOptions,
): Promise<void> {
  const [path] = (request.url ?? "").split("?", 1);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, 405, "method not allowed\n");
  }
  if (path === "/metrics") {
    return send(response, 200, await render(), contentType);
  }
  if (path === "/healthz") {
    const { state, problems, refusals, warnings } = health();
    const status = state === "serving" ? 200 : 503;
    const lines = [state, ...problems, ...refusals, ...warnings, ""];
    return send(response, status, lines.join("\n"));
  }
  send(response, 404, "not found: there are /metrics and /healthz\n");
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": new TextEncoder().encode(body).length,
    "cache-control": "no-store",
  });
  response.end(body);
}

async function listenTcp(server: Server, addr: string): Promise<void> {
  const endpoint = parseListenEndpoint(addr);
  if (!endpoint.ok) throw new TypeError(endpoint.reason);
  const { host, port } = endpoint.value;
  await listening(server, { host: host || "::", port, reusePort: true });
}

/** Bound under another name first, so that at no time there is a path that nobody answers. */
async function listenUnix(server: Server, path: string): Promise<void> {
  const temporary = `${path}.${Deno.pid}`;
  rmSync(temporary, { force: true });
  await listening(server, { path: temporary });
  chmodSync(temporary, SOCKET_MODE);
  renameSync(temporary, path);
}

async function listening(
  server: Server,
  options: { path: string } | { host: string; port: number; reusePort: boolean },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options, resolve);
  await promise;
  server.off("error", reject);
  server.on("error", () => {}); // Running out of descriptors; the next scrape may succeed.
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
