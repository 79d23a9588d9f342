import net from "node:net";
import { type Cidr, cidrContains, type IpAddress, parseCidr, parseIp } from "../addr/mod.ts";
import { ConnectionGauge } from "../observe/mod.ts";
import { compileRoutes, type RouteTable } from "../routes/mod.ts";
import type { ListenerSnapshot } from "./snapshot.ts";

/** Connections that may wait in the kernel for us to accept them. */
const BACKLOG = 4096;

/**
 * Deno's accept loop ends for good when accept(2) fails, which it does when descriptors run out;
 * no event tells of it (Deno 2.9.6). Listening again on the open handle starts it anew and is
 * harmless while it runs, so it is done this often.
 */
const REARM_ACCEPT_MS = 1000;

/**
 * Octets after which a paused socket stops reading: one read, whatever its length. By default it is
 * 64 KiB in as many reads as they come in, 25 MB for a client that sends single octets. Deno 2.9.6
 * ignores the option `highWaterMark` of `createServer`.
 */
const READ_AHEAD = 1;

/** Of both families: an IPv6 socket on Linux takes IPv4 connections too. */
const EVERY_ADDRESS = "::";
const EVERY_IPV4_ADDRESS = "0.0.0.0";
/** What binding to IPv6 fails with where the kernel has none. */
const NO_IPV6 = new Set<unknown>(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** Whether binding `::` failed because the kernel has no IPv6. */
export function lacksIpv6(error: unknown): boolean {
  return error instanceof Error && "code" in error && NO_IPV6.has(error.code);
}

/** A listener could not be bound. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** The system's code, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(addr: string, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${addr}: ${listenProblem(cause)}`, { cause });
    this.code = cause.code ?? "unknown";
  }
}

/** A bound listener of one worker, with its compiled routes. */
export class ActiveListener {
  readonly id: number;
  readonly addr: string;
  readonly host: string;
  readonly port: number;
  readonly gauge: ConnectionGauge;
  proxyProtocol: boolean;
  maxConnections: number;
  routes: RouteTable;
  #trusted: readonly Cidr[];
  #server: net.Server | undefined;
  #rearm: ReturnType<typeof setInterval> | undefined;

  constructor(snapshot: ListenerSnapshot) {
    this.id = snapshot.id;
    this.addr = snapshot.addr;
    this.host = snapshot.host;
    this.port = snapshot.port;
    this.gauge = new ConnectionGauge(snapshot.gauge);
    this.proxyProtocol = snapshot.proxyProtocol;
    this.maxConnections = snapshot.maxConnections;
    this.routes = compileRoutes(snapshot.routes);
    this.#trusted = snapshot.trustedProxies.map(parseTrusted);
  }

  /** Takes the settings and routes of a newer snapshot; the socket stays as it is. */
  update(snapshot: ListenerSnapshot): void {
    const routes = compileRoutes(snapshot.routes);
    this.#trusted = snapshot.trustedProxies.map(parseTrusted);
    this.proxyProtocol = snapshot.proxyProtocol;
    this.maxConnections = snapshot.maxConnections;
    this.routes = routes;
  }

  /** Whether a PROXY header from this peer counts. */
  isTrustedProxy(peer: IpAddress): boolean {
    return this.#trusted.length === 0 || this.#trusted.some((cidr) => cidrContains(cidr, peer));
  }

  /**
   * Binds with SO_REUSEPORT, so that every worker has a queue of its own, and accepts.
   *
   * @throws {ListenError} if the address cannot be bound.
   */
  async open(
    onConnection: (socket: net.Socket) => void,
    onError: (error: Error) => void,
  ): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      limitReadAhead(socket);
      onConnection(socket);
    });
    try {
      await listen(server, this.host || EVERY_ADDRESS, this.port);
    } catch (error) {
      const cause = error as NodeJS.ErrnoException;
      if (this.host !== "" || !lacksIpv6(cause)) {
        throw new ListenError(this.addr, cause);
      }
      await listen(server, EVERY_IPV4_ADDRESS, this.port).catch((error) => {
        throw new ListenError(this.addr, error);
      });
    }
    server.on("error", onError);
    this.#server = server;
    this.#rearm = setInterval(() => rearmAccept(server), REARM_ACCEPT_MS);
  }

  /** Stops accepting; connections that were accepted go on. */
  close(): void {
    clearInterval(this.#rearm);
    this.#server?.close();
    this.#server = undefined;
  }
}

async function listen(server: net.Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port, backlog: BACKLOG, reusePort: true }, resolve);
  try {
    await promise;
  } finally {
    server.off("error", reject);
  }
}

function limitReadAhead(socket: net.Socket): void {
  const state =
    (socket as unknown as { _readableState?: { highWaterMark: number } })._readableState;
  if (state !== undefined) state.highWaterMark = READ_AHEAD;
}

/** Uses the handle behind the server: `listen()` on the server itself refuses a second call. */
function rearmAccept(server: net.Server): void {
  (server as unknown as { _handle?: { listen?(backlog: number): number } })._handle
    ?.listen?.(BACKLOG);
}

function listenProblem(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "ports below 1024 need CAP_NET_BIND_SERVICE";
    case "EADDRNOTAVAIL":
    case "EINVAL": // So Deno 2.9.6 calls it.
      return "this machine does not have the address";
    default:
      return cause.message;
  }
}

function parseTrusted(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr.ok) return cidr.value;
  const ip = parseIp(text);
  if (!ip.ok) throw new TypeError(`trusted proxy: ${cidr.reason}`);
  return { address: ip.value, prefixLength: ip.value.family === 4 ? 32 : 128 };
}
