import { blockOf, type Cidr, cidrContains, type IpAddress } from "../addr/mod.ts";
import { ConnectionGauge } from "../observe/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import type { RouteTable } from "../routes/mod.ts";
import { isRedirect } from "../state/mod.ts";
import { bindProblem, type Sockets, type TcpListener, type TcpStream } from "../tcp/mod.ts";

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

/** What an {@link ActiveListener} tells of. */
export interface ListenerEvents {
  readonly onStream: (stream: TcpStream) => void;
  /** accept(2) has failed, or would; with the system's code. */
  readonly onAcceptFailure: (code: string) => void;
}

/** A listener of one worker, with its compiled routes. */
export class ActiveListener {
  readonly id: number;
  readonly addr: string;
  readonly host: string;
  readonly port: number;
  readonly gauge: ConnectionGauge;
  proxyProtocol: boolean;
  maxConnections: number;
  /** Of one that speaks plain HTTP; see `ListenerSnapshot`. */
  isRedirect: boolean;
  redirectPort: number;
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
    this.isRedirect = isRedirect(snapshot);
    this.redirectPort = snapshot.redirectPort ?? 0;
    this.routes = routes;
    this.#trusted = snapshot.trustedProxies.map((text) => blockOf(text, "trusted proxy"));
  }

  /** Takes the settings and routes of a newer snapshot; the socket stays as it is. */
  update(snapshot: ListenerSnapshot, routes: RouteTable): void {
    this.#trusted = snapshot.trustedProxies.map((text) => blockOf(text, "trusted proxy"));
    this.proxyProtocol = snapshot.proxyProtocol;
    this.maxConnections = snapshot.maxConnections;
    this.isRedirect = isRedirect(snapshot);
    this.redirectPort = snapshot.redirectPort ?? 0;
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
    sockets: Sockets,
    { onStream, onAcceptFailure }: ListenerEvents,
  ): Promise<void> {
    try {
      const { host, port } = this;
      const listening = this.#listening = await sockets.listen(
        { host, port },
        onStream,
        { onAcceptFailure },
      );
      this.#rearm = setInterval(() => listening.rearm(), REARM_ACCEPT_MS);
    } catch (error) {
      throw new ListenError(this.addr, error as NodeJS.ErrnoException);
    }
  }

  /** Whether it is bound. */
  get isOpen(): boolean {
    return this.#listening !== undefined;
  }

  /** Stops accepting; connections that were accepted go on. */
  close(): void {
    clearInterval(this.#rearm);
    this.#listening?.close();
    this.#listening = undefined;
  }
}
