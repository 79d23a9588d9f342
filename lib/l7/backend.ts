import type { Socket } from "node:net";
import { ErrorCode, type OutputPool } from "../h2/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { ConnectDeadlines } from "../relay/mod.ts";
import { type BackendAddress, BackendConnectError, connectBackend } from "./backend_address.ts";
import type { H2Link, LinkEvents } from "./h2_link.ts";
import { Http1Transport } from "./http1_transport.ts";
import type { BackendFailure, Transport } from "./message.ts";
import { NodeH2Link } from "./node_h2_link.ts";
import { OwnH2Link } from "./own_h2_link.ts";
import type { Turns } from "./turns.ts";

/** HTTP/2 connections to one backend of one worker; nginx allows 128 streams on each. */
const MAX_LINKS = 32;
/** Requests that wait for a connection being opened; more are answered 503. */
const MAX_WAITING = 4096;
/** Streams that a connection being opened is trusted to take. */
const ASSUMED_STREAMS = 100;
/** A connection without a stream is closed after this, in milliseconds. */
const IDLE_LINK_MS = 90_000;
/**
 * How long a backend may take to greet with SETTINGS before it counts as one that speaks HTTP/1.1
 * only, in milliseconds. An HTTP/2 server greets at once, and an HTTP/1.1 server answers the
 * preface, which is a complete request to it, with an error.
 */
const DETECT_MS = 2000;

/** Who frames HTTP/2 towards backends. */
export type H2TransportName = "own" | "node";

/** Everything about a backend that does not change. */
export interface BackendOptions {
  readonly address: BackendAddress;
  /** What it speaks; `auto`: find out. */
  readonly protocol: "auto" | "h2" | "http1";
  readonly h2Transport: H2TransportName;
  readonly connectTimeoutMs: number;
  /** Of `connectTimeoutMs`; shared by all backends. */
  readonly deadlines: ConnectDeadlines;
  readonly pool: OutputPool;
  /** Shared by all connections of the thread. */
  readonly turns: Turns;
  readonly now: () => number;
}

/** A request that waits for a way to its backend. */
export interface TransportWaiter {
  onTransport(transport: Transport): void;
  onFailure(failure: BackendFailure): void;
}

/**
 * One backend as a worker sees it: which protocol it speaks, the connections that are open, and who
 * waits for one. Health is seen by use: connections that end or are told to go away are replaced
 * when the next request comes.
 */
export class Backend implements LinkEvents {
  readonly #options: BackendOptions;
  readonly #links = new Set<H2Link>();
  readonly #waiting = new Set<TransportWaiter>();
  readonly #http1: Http1Transport;
  /** Connections whose greeting is awaited, to learn whether the backend speaks HTTP/2. */
  readonly #detecting = new Map<H2Link, () => void>();
  #opening = 0;
  /** What it was found to speak. */
  #speaks: "h2" | "http1" | undefined;
  #closed = false;

  constructor(options: BackendOptions) {
    this.#options = options;
    if (options.protocol !== "auto") this.#speaks = options.protocol;
    this.#http1 = new Http1Transport(
      () => this.#connect(["http/1.1"]),
      () => this.#doubt(),
    );
  }

  /** Open HTTP/2 connections. */
  get linkCount(): number {
    return this.#links.size;
  }

  /**
   * Hands `waiter` a transport, now or later, or a failure. Tunnels go over HTTP/1.1, which every
   * WebSocket server speaks, unless the operator said that the backend speaks HTTP/2 only.
   */
  acquire(waiter: TransportWaiter, tunnel: boolean): void {
    if (this.#closed) return waiter.onFailure(busy("the route has changed"));
    if (this.#speaks === "http1" || (tunnel && this.#options.protocol !== "h2")) {
      return this.#http1.full
        ? waiter.onFailure(busy("every connection to the backend is in use"))
        : waiter.onTransport(this.#http1);
    }
    for (const link of this.#links) {
      if (this.#usable(link)) return waiter.onTransport(link);
    }
    if (this.#waiting.size >= MAX_WAITING) {
      return waiter.onFailure(busy("too many requests wait for the backend"));
    }
    if (this.#links.size + this.#opening >= MAX_LINKS && this.#opening === 0) {
      return waiter.onFailure(busy("every stream to the backend is in use"));
    }
    this.#waiting.add(waiter);
    if (this.#waiting.size > this.#opening * ASSUMED_STREAMS) this.#open();
  }

  /** `waiter` does not want a transport any more. */
  cancel(waiter: TransportWaiter): void {
    this.#waiting.delete(waiter);
  }

  /** Looks after deadlines and idle connections; about once a second. */
  tick(now: number): void {
    for (const link of this.#links) {
      link.tick(now);
      if (link.idleSince >= 0 && now - link.idleSince > IDLE_LINK_MS) link.shutdown();
    }
  }

  /** No new requests; connections end with their last stream. */
  shutdown(): void {
    this.#closed = true;
    for (const link of this.#links) link.shutdown();
    this.#http1.retire();
  }

  /** Closes every connection at once. */
  destroy(reason: string): void {
    this.#closed = true;
    for (const link of this.#links) link.destroy(reason);
    this.#http1.destroy();
    this.#failWaiting(busy(reason));
  }

  onReady(link: H2Link): void {
    if (!this.#links.has(link)) return;
    this.#speaks = "h2";
    this.#detecting.get(link)?.();
    this.#serveWaiting();
  }

  onAvailable(_link: H2Link): void {
    this.#serveWaiting();
  }

  onClosed(link: H2Link, reason: string): void {
    this.#detecting.get(link)?.();
    if (!this.#links.delete(link)) return;
    if (this.#links.size === 0 && this.#waiting.size > 0 && this.#opening === 0) {
      this.#failWaiting({
        kind: "unreachable",
        reason: `the backend's connection ended: ${reason}`,
        unprocessed: true,
        code: ErrorCode.connectError,
      });
    }
  }

  #usable(link: H2Link): boolean {
    return link.available && (link.ready || this.#options.protocol === "h2");
  }

  /** Opens an HTTP/2 connection, or finds out that the backend does not speak it. */
  #open(): void {
    this.#opening++;
    this.#openLink().then(
      () => this.#opening--,
      (error) => {
        this.#opening--;
        const failed = error instanceof BackendConnectError
          ? error
          : new BackendConnectError("unreachable", describeError(error));
        this.#failWaiting(failed.failure);
      },
    ).then(() => this.#serveWaiting());
  }

  async #openLink(): Promise<void> {
    const isTls = this.#options.address.tls !== undefined;
    const alpn = this.#options.protocol === "auto" ? ["h2", "http/1.1"] : ["h2"];
    const socket = await this.#connect(alpn);
    if (this.#closed) return void socket.destroy();
    const agreed = isTls ? (socket as { alpnProtocol?: string | false }).alpnProtocol : undefined;
    if (isTls && agreed !== "h2" && this.#options.protocol === "auto") {
      this.#http1.adopt(socket);
      this.#speaks = "http1";
      return;
    }
    if (isTls && agreed !== "h2") {
      socket.destroy();
      throw new BackendConnectError("unreachable", "the backend does not offer HTTP/2");
    }
    if (this.#speaks === undefined && !isTls) await this.#detect(socket);
    else this.#addLink(socket);
  }

  #addLink(socket: Socket): H2Link {
    const { h2Transport, pool, turns, now } = this.#options;
    const link = h2Transport === "own"
      ? new OwnH2Link(socket, { events: this, pool, turns, now })
      : new NodeH2Link(socket, { events: this, now });
    this.#links.add(link);
    return link;
  }

  /** Greets in HTTP/2 and sees whether the answer is HTTP/2. */
  async #detect(socket: Socket): Promise<void> {
    const link = this.#addLink(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#detecting.set(link, resolve);
    const timer = setTimeout(resolve, DETECT_MS);
    await promise;
    clearTimeout(timer);
    this.#detecting.delete(link);
    // Also when it has gone again since: it did greet.
    if (this.#speaks === "h2") return;
    this.#links.delete(link);
    link.destroy("the backend does not speak HTTP/2");
    socket.destroy();
    this.#speaks = "http1";
  }

  #connect(alpn: readonly string[]): Promise<Socket> {
    const { address, connectTimeoutMs, deadlines } = this.#options;
    return connectBackend(address, { timeoutMs: connectTimeoutMs, deadlines, alpn });
  }

  /** The backend answered in something that is not HTTP/1.1: perhaps it was replaced. */
  #doubt(): void {
    if (this.#options.protocol === "auto") this.#speaks = undefined;
  }

  #serveWaiting(): void {
    if (this.#waiting.size === 0) return;
    for (const waiter of [...this.#waiting]) {
      const transport = this.#speaks === "http1"
        ? this.#http1
        : this.#links.values().find((link) => this.#usable(link));
      if (transport === undefined) break;
      this.#waiting.delete(waiter);
      waiter.onTransport(transport);
    }
    if (this.#waiting.size <= this.#opening * ASSUMED_STREAMS || this.#closed) return;
    if (this.#links.size + this.#opening < MAX_LINKS) this.#open();
    else if (this.#opening === 0) this.#failWaiting(busy("every stream to the backend is in use"));
  }

  #failWaiting(failure: BackendFailure): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.onFailure(failure);
  }
}

function busy(reason: string): BackendFailure {
  return { kind: "busy", reason, unprocessed: true, code: ErrorCode.refusedStream };
}
