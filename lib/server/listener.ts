import { blockOf, type Cidr, cidrContains, type IpAddress } from "../addr/mod.ts";
import { ConnectionGauge } from "../observe/mod.ts";
import type { RouteTable } from "../routes/mod.ts";
import type { Sockets, TcpListener, TcpStream } from "../tcp/mod.ts";
import type { ListenerSnapshot } from "./snapshot.ts";

/**
 * Deno's accept loop ends for good when accept(2) fails, which it does when descriptors run out;
 * no event tells of it (Deno 2.9.6). Starting it anew is harmless while it runs.
 */
const REARM_ACCEPT_MS = 1000;

/** A listener could not be bound. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** The system's code, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(addr: string, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${addr}: ${bindProblem(cause) ?? cause.message}`, { cause });
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
  #listening: TcpListener | undefined;
  #rearm: ReturnType<typeof setInterval> | undefined;

  constructor(snapshot: ListenerSnapshot, routes: RouteTable) {
    this.id = snapshot.id;
    this.addr = snapshot.addr;
    this.host = snapshot.host;
    this.port = snapshot.port;
    this.gauge = new ConnectionGauge(snapshot.gauge);
    this.proxyProtocol = snapshot.proxyProtocol;
    this.maxConnections = snapshot.maxConnections;
    this.routes = routes;
    this.#trusted = snapshot.trustedProxies.map((text) => blockOf(text, "trusted proxy"));
  }

  /** Takes the settings and routes of a newer snapshot; the socket stays as it is. */
  update(snapshot: ListenerSnapshot, routes: RouteTable): void {
    this.#trusted = snapshot.trustedProxies.map((text) => blockOf(text, "trusted proxy"));
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
  async open(sockets: Sockets, onStream: (stream: TcpStream) => void): Promise<void> {
    try {
      const { host, port } = this;
      const listening = this.#listening = await sockets.listen({ host, port }, onStream);
      this.#rearm = setInterval(() => listening.rearm(), REARM_ACCEPT_MS);
    } catch (error) {
      throw new ListenError(this.addr, error as NodeJS.ErrnoException);
    }
  }

  /** Stops accepting; connections that were accepted go on. */
  close(): void {
    clearInterval(this.#rearm);
    this.#listening?.close();
    this.#listening = undefined;
  }
}

/** What it means that an address cannot be bound, for an operator; nothing for other errors. */
export function bindProblem(error: unknown): string | undefined {
  switch (error instanceof Error && "code" in error ? error.code : undefined) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "ports below 1024 need CAP_NET_BIND_SERVICE";
    case "EADDRNOTAVAIL":
    case "EINVAL": // So Deno 2.9.6 calls it.
      return "this machine does not have the address";
    default:
      return undefined;
  }
}
