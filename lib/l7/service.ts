import { sourceKey } from "../addr/mod.ts";
import type { Balancers } from "../balance/mod.ts";
import { OutputPool } from "../h2/mod.ts";
import { Turns } from "../http_io/mod.ts";
import {
  describeError,
  type Descriptors,
  type LogSink,
  type RequestCounts,
  type RequestEvent,
  unlimitedDescriptors,
} from "../observe/mod.ts";
import {
  type Clock,
  type Connect,
  Deadlines,
  DeadlinesByTime,
  type Lookup,
  systemLookup,
} from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import type { Handshakes, StreamAcceptor } from "../tls/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ErrorPage } from "../state/mod.ts";
import type { H2TransportName } from "./backend_dialer.ts";
import { BackendPools, type CurrentRoutes } from "./backend_pools.ts";
import { DownstreamConnection } from "./downstream_connection.ts";
import type { L7Connection } from "./l7_connection.ts";
import type { PageOf, Pages } from "./error_pages.ts";
import { FieldRules, type FieldSettings } from "./field_rules.ts";
import { EngineLimits, type HttpLimits } from "./http_limits.ts";
import { ResetBudgets } from "./reset_budgets.ts";
import { openDownstream } from "./open_downstream.ts";
import { NO_MATERIAL } from "./other_ways.ts";
import { Passwords } from "./passwords.ts";
import { RoutePlans } from "./route_plans.ts";
import { L7Session } from "./session.ts";
import type { TlsMaterial } from "./tls_material.ts";
import { createHttpAcceptor, terminateTls } from "./terminate.ts";

/** How often deadlines of sessions are looked at. */
const TICK_MS = 1000;

/** Settings that may change while connections are open; new ones and new requests see them. */
export interface L7Settings {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly h2Transport: H2TransportName;
  /** Whether `onRequest` is called. */
  readonly accessLog: boolean;
  /** Whether it is called for requests that a policy refuses, if not for all. Default: `false`. */
  readonly refusedRequests?: boolean;
  /** Default: {@link DEFAULT_FIELD_SETTINGS}. */
  readonly fields?: FieldSettings;
  /** Default: {@link DEFAULT_HTTP_LIMITS}. */
  readonly limits?: HttpLimits;
  /** What is said of the proxy's own errors. */
  readonly errorPages?: readonly ErrorPage[];
}

/** What the service is given from outside. */
export interface L7ServiceOptions {
  readonly clock: Clock;
  /** Opens plain TCP connections to backends. */
  readonly connect: Connect<TcpStream>;
  readonly settings: L7Settings;
  /** Counts every request. */
  readonly requests: Pick<RequestCounts, "record">;
  readonly onRequest: (event: RequestEvent) => void;
  /** Where what must not happen is written. */
  readonly log: LogSink;
  readonly currentRoutes: CurrentRoutes;
  /** Takes how long each handshake took that succeeded, in seconds. */
  readonly onHandshake?: (seconds: number) => void;
  /** Those of the worker. */
  readonly handshakes: Handshakes;
  /** Finds the addresses of backends; default: the system's resolver. */
  readonly lookup?: Lookup;
  /** Those of the worker; default: as many as there are. */
  readonly descriptors?: Descriptors;
  /** What chooses between several backends of a route, with what all workers know of them. */
  readonly balancers: Balancers;
  /** Default: no page is a file. */
  readonly pageOf?: PageOf;
}

/** HTTP for all l7 routes of one worker: its clients, and the backends they share. */
export class L7Service {
  readonly #options: L7ServiceOptions;
  readonly #sessions = new Set<L7Session>();
  readonly #backends: BackendPools;
  readonly #plans: RoutePlans;
  readonly #acceptors = new WeakMap<TlsMaterial, StreamAcceptor>();
  readonly #pool = new OutputPool();
  readonly #turns = new Turns();
  readonly #resets = new ResetBudgets();
  #settings: L7Settings;
  #rules: FieldRules;
  #limits: EngineLimits;
  #idle: Deadlines;
  readonly #idleTimes: DeadlinesByTime;
  #routesChanged = false;
  #stopTicking: (() => void) | undefined;

  constructor(options: L7ServiceOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#rules = new FieldRules(options.settings.fields);
    this.#limits = new EngineLimits(options.settings.limits);
    this.#idle = new Deadlines(options.settings.idleTimeoutMs, options.clock);
    this.#idleTimes = new DeadlinesByTime(options.clock);
    this.#plans = new RoutePlans(options.settings.errorPages, {
      pageOf: options.pageOf ?? (() => undefined),
      clock: options.clock,
      passwords: new Passwords(() => options.clock.now()),
      authUpstream: (way) => this.#backends.of(way, NO_MATERIAL),
      deadlines: (ms) => this.#idleTimes.of(ms),
    });
    const { clock, settings, connect, lookup = systemLookup } = options;
    const { descriptors = unlimitedDescriptors, balancers } = options;
    const [pool, turns] = [this.#pool, this.#turns];
    const onCrash = (error: unknown) =>
      this.#log("backend connection failed unexpectedly", error, {});
    this.#backends = new BackendPools({
      clock,
      settings: { ...settings, limits: this.#limits },
      lookup,
      connect,
      descriptors,
      balancers,
      pool,
      turns,
      onCrash,
    });
  }

  /** Takes new settings; backends that framed otherwise are left to end by themselves. */
  configure(settings: L7Settings): void {
    if (settings.idleTimeoutMs !== this.#settings.idleTimeoutMs) {
      this.#idle = new Deadlines(settings.idleTimeoutMs, this.#options.clock);
    }
    this.#rules = new FieldRules(settings.fields);
    if (settings.limits !== this.#settings.limits) {
      this.#limits = new EngineLimits(settings.limits);
    }
    this.#plans.configure(settings.errorPages ?? []);
    this.#settings = settings;
    this.#backends.configure({ ...settings, limits: this.#limits });
    this.routesChanged();
  }

  /** Routes or their TLS were replaced: pools that none leads to any more are closed soon. */
  routesChanged(): void {
    this.#routesChanged = true;
  }

  /** What files of error pages hold has changed: new answers say so. */
  pagesChanged(): void {
    this.#plans.configure();
  }

  /** What is said of errors where a route says nothing. */
  get pages(): Pages {
    return this.#plans.pages;
  }

  /** Serves a connection whose ClientHello selected an l7 route; `peeked` was read already. */
  serve(
    connection: L7Connection,
    stream: TcpStream,
    { peeked, material }: { readonly peeked: Uint8Array; readonly material: TlsMaterial },
  ): L7Session {
    const session = new L7Session(connection, stream);
    this.#sessions.add(session);
    this.#stopTicking ??= this.#options.clock.every(TICK_MS, () => this.#tick());
    session.ended.then(() => this.#forget(session)).catch(() => {});
    this.#terminate(session, stream, { peeked, material }).catch((error) => session.fail(error));
    return session;
  }

  /** Closes every connection to a backend. Clients must be gone. */
  close(): void {
    this.#backends.destroy("shutdown");
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  async #terminate(
    session: L7Session,
    stream: TcpStream,
    { peeked, material }: { readonly peeked: Uint8Array; readonly material: TlsMaterial },
  ): Promise<void> {
    const { handshakes, onHandshake } = this.#options;
    const startedAt = this.#options.clock.now();
    const tls = await terminateTls(stream, peeked, {
      acceptor: this.#acceptorFor(material),
      handshakes,
      source: sourceKey(session.connection.client.ip),
    });
    if (!tls.ok) return session.end(tls);
    onHandshake?.((this.#options.clock.now() - startedAt) / 1000);
    const { onRequest, requests, clock } = this.#options;
    const { accessLog, refusedRequests = false } = this.#settings;
    const client = new DownstreamConnection(session.connection, {
      idle: this.#idle,
      idleOf: (ms) => this.#idleTimes.of(ms),
      now: () => clock.now(),
      upstreamFor: (route) => this.#backends.of(route, this.#trustFor(route, material)),
      onCrash: (request, error) => this.#log("request failed unexpectedly", error, { request }),
      planFor: (route) => this.#plans.of(route),
      rules: this.#rules,
      limits: this.#limits.http,
      requests,
      onRequest: accessLog || refusedRequests ? onRequest : undefined,
      onlyRefused: !accessLog,
    });
    const codec = openDownstream(tls, { client, session }, {
      pool: this.#pool,
      limits: this.#limits,
      turns: this.#turns,
      resets: this.#resets,
      now: () => clock.now(),
    });
    session.open(tls.stream, client, codec);
  }

  /**
   * Whom a route's backend is to be checked against now: a client that connected before must not
   * keep authorities that have been replaced.
   */
  #trustFor(route: Route, material: TlsMaterial): TlsMaterial {
    if (route.backendTlsVerify !== true) return material;
    for (const [, current] of this.#options.currentRoutes(route.hostname)) {
      if (current.id === material.id) return current;
    }
    return material;
  }

  #acceptorFor(material: TlsMaterial): StreamAcceptor {
    let acceptor = this.#acceptors.get(material);
    if (acceptor === undefined) {
      acceptor = createHttpAcceptor(material);
      this.#acceptors.set(material, acceptor);
    }
    return acceptor;
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const session of this.#sessions) {
      try {
        session.tick(now, this.#settings.idleTimeoutMs);
      } catch (error) {
        session.fail(error);
      }
    }
    if (this.#routesChanged) {
      this.#routesChanged = false;
      this.#backends.prune(this.#options.currentRoutes);
    }
    this.#backends.tick(now);
  }

  /** Something was thrown that must not be, and ended what it belonged to. */
  #log(message: string, error: unknown, fields: { readonly request?: string }): void {
    const outcome = "internal_error";
    this.#options.log({
      level: "error",
      message,
      fields: { ...fields, outcome, error: describeError(error) },
    });
  }

  #forget(session: L7Session): void {
    this.#sessions.delete(session);
  }
}
