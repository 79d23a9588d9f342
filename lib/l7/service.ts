import type { Server } from "node:http";
import type { Socket } from "node:net";
import { parseBackendEndpoint } from "../addr/mod.ts";
import { OutputPool } from "../h2/mod.ts";
import type { RequestCounts, RequestEvent } from "../observe/mod.ts";
import { encodeProxyV2 } from "../proxyproto/mod.ts";
import { type Clock, ConnectDeadlines, Deadlines } from "../relay/mod.ts";
import type { TlsAcceptor } from "../tls/mod.ts";
import { compileL7Policies, type PolicySet, type Route } from "../routes/mod.ts";
import { Backend, type H2TransportName } from "./backend.ts";
import { Client, type Front, type L7Connection } from "./client.ts";
import { H2Front } from "./h2_front.ts";
import { FieldRules, type FieldSettings } from "./field_rules.ts";
import { createHttp1Server, Http1Front } from "./http1_front.ts";
import { ResetBudgets } from "./reset_budgets.ts";
import { L7Session } from "./session.ts";
import { Turns } from "./turns.ts";
import { createHttpAcceptor, terminateTls, type Termination } from "./terminate.ts";

/** How often deadlines of sessions are looked at. */
const TICK_MS = 1000;

/** A certificate with its key, and what belongs to it; in memory only, never logged. */
export interface TlsMaterial {
  /** {@link tlsMaterialId} of the routes that use it. */
  readonly id: string;
  readonly certPem: string;
  readonly keyPem: string;
  /** Authorities that the route's backend is checked against. */
  readonly backendCaPem?: string;
}

/** What a route's TLS is made of: the files that it names. Routes with the same files share it. */
export function tlsMaterialId(route: Pick<Route, "tlsCert" | "tlsKey" | "backendCa">): string {
  return `${route.tlsCert}\0${route.tlsKey}\0${route.backendCa ?? ""}`;
}

/** Settings that may change while connections are open; new ones and new requests see them. */
export interface L7Settings {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly h2Transport: H2TransportName;
  /** Whether `onRequest` is called. */
  readonly accessLog: boolean;
  /** Default: {@link DEFAULT_FIELD_SETTINGS}. */
  readonly fields?: FieldSettings;
}

/** What the service is given from outside. */
export interface L7ServiceOptions {
  readonly clock: Clock;
  readonly settings: L7Settings;
  /** Counts every request. */
  readonly requests: Pick<RequestCounts, "record">;
  readonly onRequest: (event: RequestEvent) => void;
  /** Takes how long each handshake took that succeeded, in seconds. */
  readonly onHandshake?: (seconds: number) => void;
  /** Default: that of lib/tls. */
  readonly handshakeTimeoutMs?: number;
}

/** HTTP for all l7 routes of one worker: its clients, and the backends they share. */
export class L7Service {
  readonly #options: L7ServiceOptions;
  readonly #sessions = new Set<L7Session>();
  readonly #backends = new Map<string, Backend>();
  readonly #backendOf = new WeakMap<Route, Backend>();
  readonly #policiesOf = new WeakMap<Route, PolicySet>();
  readonly #acceptors = new WeakMap<TlsMaterial, TlsAcceptor>();
  readonly #pool = new OutputPool();
  readonly #turns = new Turns();
  readonly #resets = new ResetBudgets();
  readonly #http1: Server;
  #settings: L7Settings;
  #rules: FieldRules;
  #idle: Deadlines;
  #connects: ConnectDeadlines;
  #stopTicking: (() => void) | undefined;

  constructor(options: L7ServiceOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#rules = new FieldRules(options.settings.fields);
    this.#idle = new Deadlines(options.settings.idleTimeoutMs, options.clock);
    this.#connects = new ConnectDeadlines(options.settings.connectTimeoutMs);
    this.#http1 = createHttp1Server();
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Takes new settings; backends that framed otherwise are left to end by themselves. */
  configure(settings: L7Settings): void {
    if (settings.idleTimeoutMs !== this.#settings.idleTimeoutMs) {
      this.#idle = new Deadlines(settings.idleTimeoutMs, this.#options.clock);
    }
    if (settings.connectTimeoutMs !== this.#settings.connectTimeoutMs) {
      this.#connects = new ConnectDeadlines(settings.connectTimeoutMs);
    }
    this.#rules = new FieldRules(settings.fields);
    this.#settings = settings;
  }

  /** Serves a connection whose ClientHello selected an l7 route; `peeked` was read already. */
  serve(
    connection: L7Connection,
    socket: Socket,
    { peeked, material }: { readonly peeked: Uint8Array; readonly material: TlsMaterial },
  ): L7Session {
    const session = new L7Session(connection, socket);
    this.#sessions.add(session);
    this.#stopTicking ??= this.#options.clock.every(TICK_MS, () => this.#tick());
    session.ended.then(() => this.#forget(session)).catch(() => {});
    this.#terminate(session, socket, { peeked, material }).catch((error) => session.fail(error));
    return session;
  }

  /** Closes every connection to a backend. Clients must be gone. */
  close(): void {
    for (const backend of this.#backends.values()) backend.destroy("shutdown");
    this.#backends.clear();
    this.#connects[Symbol.dispose]();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  async #terminate(
    session: L7Session,
    socket: Socket,
    { peeked, material }: { readonly peeked: Uint8Array; readonly material: TlsMaterial },
  ): Promise<void> {
    const { handshakeTimeoutMs: timeoutMs, onHandshake } = this.#options;
    const startedAt = this.#options.clock.now();
    const tls = await terminateTls(socket, peeked, {
      acceptor: this.#acceptorFor(material),
      ...timeoutMs !== undefined && { timeoutMs },
    });
    if (!tls.ok) return session.end(tls);
    onHandshake?.((this.#options.clock.now() - startedAt) / 1000);
    tls.socket.setNoDelay(true);
    const { onRequest, requests, clock } = this.#options;
    const client = new Client(session.connection, {
      idle: this.#idle,
      now: () => clock.now(),
      backendFor: (route, client) => this.#backendFor(route, client, material),
      policiesFor: (route) => this.#policiesFor(route),
      rules: this.#rules,
      requests,
      onRequest: this.#settings.accessLog ? onRequest : undefined,
    });
    session.open(tls.socket, client, this.#openFront(tls, client, session));
  }

  #openFront(
    { socket, alpn }: Extract<Termination, { ok: true }>,
    client: Client,
    session: L7Session,
  ): Front {
    const now = () => this.#options.clock.now();
    if (alpn !== "h2") {
      return new Http1Front(socket, client, {
        server: this.#http1,
        now,
        onClosing: () => session.closing(undefined),
      });
    }
    return new H2Front(socket, client, {
      pool: this.#pool,
      turns: this.#turns,
      resets: this.#resets.of(client.connection.client.ip),
      now,
      onClose: (cause) => session.closing(cause.by === "rules" ? cause.reason : undefined),
    });
  }

  #acceptorFor(material: TlsMaterial): TlsAcceptor {
    let acceptor = this.#acceptors.get(material);
    if (acceptor === undefined) {
      acceptor = createHttpAcceptor(material);
      this.#acceptors.set(material, acceptor);
    }
    return acceptor;
  }

  #policiesFor(route: Route): PolicySet {
    let policies = this.#policiesOf.get(route);
    if (policies === undefined) {
      policies = compileL7Policies(route.policies ?? []);
      this.#policiesOf.set(route, policies);
    }
    return policies;
  }

  /** The backend of a route: shared by all clients, or with a PROXY header each client's own. */
  #backendFor(route: Route, client: Client, material: TlsMaterial): Backend {
    if (!route.sendProxyProtocol) {
      const known = this.#backendOf.get(route);
      if (known !== undefined) return known;
    }
    const key = this.#backendKey(route, material);
    const backends = route.sendProxyProtocol ? client.ownBackends : this.#backends;
    let backend = backends.get(key);
    if (backend === undefined) {
      backend = this.#createBackend(route, client, material);
      backends.set(key, backend);
    }
    if (!route.sendProxyProtocol) this.#backendOf.set(route, backend);
    return backend;
  }

  #backendKey(route: Route, material: TlsMaterial): string {
    const { backend, backendTls, backendProtocol, backendTlsVerify, backendServerName } = route;
    const { h2Transport, connectTimeoutMs } = this.#settings;
    return JSON.stringify([
      backend,
      backendTls,
      backendProtocol ?? "auto",
      backendTlsVerify ?? false,
      backendServerName ?? "",
      material.backendCaPem ?? "",
      h2Transport,
      connectTimeoutMs,
    ]);
  }

  #createBackend(route: Route, client: Client, material: TlsMaterial): Backend {
    const endpoint = parseBackendEndpoint(route.backend);
    if (!endpoint.ok) throw new TypeError(`backend of ${route.hostname}: ${endpoint.reason}`);
    const { client: source, destination } = client.connection;
    const { clock } = this.#options;
    const { h2Transport, connectTimeoutMs } = this.#settings;
    return new Backend({
      address: {
        endpoint: endpoint.value,
        ...route.backendTls && {
          tls: {
            verify: route.backendTlsVerify ?? false,
            caPem: material.backendCaPem,
            serverName: route.backendServerName,
          },
        },
        ...route.sendProxyProtocol && { proxyHeader: encodeProxyV2({ source, destination }) },
      },
      protocol: route.backendProtocol ?? "auto",
      h2Transport,
      connectTimeoutMs,
      deadlines: this.#connects,
      pool: this.#pool,
      turns: this.#turns,
      now: () => clock.now(),
    });
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const session of this.#sessions) session.tick(now, this.#settings.idleTimeoutMs);
    for (const backend of this.#backends.values()) backend.tick(now);
  }

  #forget(session: L7Session): void {
    this.#sessions.delete(session);
  }
}
