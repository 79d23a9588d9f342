import { parseBackendEndpoint } from "../addr/mod.ts";
import {
  BALANCE_LIMITS,
  type BalancedRoute,
  type Balancer,
  type Balancers,
} from "../balance/mod.ts";
import type { OutputPool } from "../h2/mod.ts";
import type { Turns } from "../http_io/mod.ts";
import type { Descriptors } from "../observe/mod.ts";
import { encodeProxyV2 } from "../proxyproto/mod.ts";
import type { Clock, Connect, Lookup } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { backendsOf } from "../state/mod.ts";
import { type Expectation, Pool, type Timers, type Upstream } from "../upstream/mod.ts";
import { BackendDialer, type H2TransportName } from "./backend_dialer.ts";
import { BalancedUpstream } from "./balanced_upstream.ts";
import type { DownstreamConnection } from "./downstream_connection.ts";
import type { OnCrash } from "./guarded_sessions.ts";
import type { EngineLimits } from "./http_limits.ts";
import type { BackendConnection } from "./message.ts";
import { otherWays } from "./other_ways.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** Settings that connections to backends are made by. */
export interface BackendSettings {
  readonly connectTimeoutMs: number;
  readonly h2Transport: H2TransportName;
  readonly limits: EngineLimits;
}

/** The routes for a hostname that are in force, with what their TLS is made of. */
export type CurrentRoutes = (hostname: string) => Iterable<readonly [Route, TlsMaterial]>;

/** A pool, and the names whose routes have used it. */
interface Entry {
  readonly pool: Pool<BackendConnection>;
  readonly key: string;
  readonly hostnames: Set<string>;
}

/** The way to several backends. */
interface Balanced {
  readonly route: BalancedRoute;
  readonly material: TlsMaterial;
  readonly balancer: Balancer;
  readonly upstream: BalancedUpstream;
}

const EXPECTS: Readonly<Record<NonNullable<Route["backendProtocol"]>, Expectation>> = {
  auto: "auto",
  h2: "h2",
  http1: "http/1.1",
};

/** The pools of one worker: routes that reach the same backend in the same way share one. */
export class BackendPools {
  readonly #clock: Clock;
  readonly #pool: OutputPool;
  readonly #turns: Turns;
  readonly #lookup: Lookup;
  readonly #connect: Connect<TcpStream>;
  readonly #onCrash: OnCrash;
  readonly #descriptors: Descriptors;
  readonly #balancers: Balancers;
  readonly #entries = new Map<string, Entry>();
  /** Those whose last requests are still being answered. */
  readonly #retired = new Set<Pool<BackendConnection>>();
  #entryOf = new WeakMap<Route, { readonly material: TlsMaterial; readonly entry: Entry }>();
  /** Of routes with several backends. */
  #balanced = new WeakMap<Route, Balanced>();
  #settings: BackendSettings;

  constructor(options: {
    readonly clock: Clock;
    readonly pool: OutputPool;
    readonly turns: Turns;
    readonly lookup: Lookup;
    /** Opens plain TCP connections. */
    readonly connect: Connect<TcpStream>;
    /** Something was thrown that must not be; what it belonged to has ended. */
    readonly onCrash: OnCrash;
    readonly descriptors: Descriptors;
    /** What chooses between several backends of a route. */
    readonly balancers: Balancers;
    readonly settings: BackendSettings;
  }) {
    this.#clock = options.clock;
    this.#pool = options.pool;
    this.#turns = options.turns;
    this.#lookup = options.lookup;
    this.#connect = options.connect;
    this.#onCrash = options.onCrash;
    this.#descriptors = options.descriptors;
    this.#balancers = options.balancers;
    this.#settings = options.settings;
  }

  /** Pools in use, and those that are ending. */
  get size(): number {
    return this.#entries.size + this.#retired.size;
  }

  /** Takes new settings: later requests get pools that are made by them. */
  configure({ connectTimeoutMs, h2Transport, limits }: BackendSettings): void {
    const before = this.#settings;
    this.#settings = { connectTimeoutMs, h2Transport, limits };
    const isSame = before.connectTimeoutMs === connectTimeoutMs &&
      before.h2Transport === h2Transport && before.limits === limits;
    if (isSame) return;
    this.#entryOf = new WeakMap();
    this.#balanced = new WeakMap();
  }

  /** The way to the backend of a route, or to one of several. */
  of(route: Route, material: TlsMaterial): Upstream<BackendConnection> {
    if (route.backends !== undefined) return this.#balancedOf(route, route.backends, material);
    const known = this.#entryOf.get(route);
    if (known?.material === material && !this.#retired.has(known.entry.pool)) {
      return known.entry.pool;
    }
    const entry = this.#entry(route, route.backend, material);
    this.#entryOf.set(route, { material, entry });
    return entry.pool;
  }

  #balancedOf(
    route: Route,
    backends: NonNullable<Route["backends"]>,
    material: TlsMaterial,
  ): BalancedUpstream {
    const known = this.#balanced.get(route);
    // Asked for each time: one that nobody has used for a while is another one.
    const named = known?.route ?? { ...route, backends };
    const balancer = this.#balancers.of(named);
    if (known?.material === material && known.balancer === balancer) return known.upstream;
    // Looked up each time: a pool that was retired may be wanted again.
    const poolOf = (addr: string) => this.#entry(route, addr, material).pool;
    const upstream = new BalancedUpstream(balancer, poolOf);
    this.#balanced.set(route, { route: named, material, balancer, upstream });
    return upstream;
  }

  #entry(route: Route, backend: string, material: TlsMaterial): Entry {
    const key = this.#keyOf(route, backend, material);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { pool: this.#create(route, backend, material), key, hostnames: new Set() };
      this.#entries.set(key, entry);
    }
    entry.hostnames.add(route.hostname);
    return entry;
  }

  /** Ends the pools that no route leads to any more; their open requests are answered. */
  prune(current: CurrentRoutes): void {
    for (const entry of this.#entries.values()) {
      if (this.#isUsed(entry, current)) continue;
      this.#entries.delete(entry.key);
      this.#retired.add(entry.pool);
      entry.pool.retire();
    }
  }

  /** Looks after deadlines and idle connections; about once a second. */
  tick(now: number): void {
    for (const { pool } of this.#entries.values()) this.#tick(pool, now);
    for (const pool of this.#retired) {
      if (pool.size === 0) this.#retired.delete(pool);
      else this.#tick(pool, now);
    }
  }

  /** Closes every connection at once. */
  destroy(reason: string): void {
    for (const { pool } of this.#entries.values()) pool.destroy(reason);
    for (const pool of this.#retired) pool.destroy(reason);
    this.#entries.clear();
    this.#retired.clear();
    this.#entryOf = new WeakMap();
    this.#balanced = new WeakMap();
  }

  /** What one backend makes throw must not cost the others their deadlines. */
  #tick(pool: Pool<BackendConnection>, now: number): void {
    try {
      pool.tick(now);
    } catch (error) {
      this.#onCrash(error);
    }
  }

  #isUsed({ key, hostnames }: Entry, current: CurrentRoutes): boolean {
    for (const hostname of hostnames) {
      for (const [route, material] of current(hostname)) {
        if (route.mode !== "l7") continue;
        if (this.#leadsTo(route, material, key)) return true;
        for (const [way, trust] of otherWays(route, material)) {
          if (this.#leadsTo(way, trust, key)) return true;
        }
      }
    }
    return false;
  }

  /** One that drains ends its connections with their last request. */
  #leadsTo(route: Route, material: TlsMaterial, key: string): boolean {
    return backendsOf(route).some(({ addr, state }) =>
      state === "up" && this.#keyOf(route, addr, material) === key
    );
  }

  #keyOf(route: Route, backend: string, { backendCaPem = "" }: TlsMaterial): string {
    const { h2Transport, limits } = this.#settings;
    return JSON.stringify([
      backend,
      route.backendTls,
      route.sendProxyProtocol,
      route.backendProtocol ?? "auto",
      route.backendTlsVerify ?? false,
      route.backendServerName ?? "",
      backendCaPem,
      h2Transport,
      this.#connectTimeout(route),
      limits.http,
    ]);
  }

  /** All that a request may be offered to have to be connected to within the timeout together. */
  #connectTimeout({ backends = [], connectTimeoutMs }: Route): number {
    const attempts = Math.max(1, Math.min(backends.length, BALANCE_LIMITS.attempts));
    return (connectTimeoutMs ?? this.#settings.connectTimeoutMs) / attempts;
  }

  #create(route: Route, backend: string, { backendCaPem }: TlsMaterial): Pool<BackendConnection> {
    const endpoint = parseBackendEndpoint(backend);
    if (!endpoint.ok) throw new TypeError(`backend of ${route.hostname}: ${endpoint.reason}`);
    const { h2Transport, limits } = this.#settings;
    const now = () => this.#clock.now();
    const tls = {
      verify: route.backendTlsVerify ?? false,
      caPem: backendCaPem,
      serverName: route.backendServerName,
    };
    return new Pool({
      dialer: new BackendDialer({
        address: { endpoint: endpoint.value, ...route.backendTls && { tls } },
        proxyHeaderOf,
        h2Transport,
        limits,
        pool: this.#pool,
        turns: this.#turns,
        lookup: this.#lookup,
        connect: this.#connect,
        onCrash: this.#onCrash,
        descriptors: this.#descriptors,
        now,
      }),
      timers: timersOf(now, this.#onCrash),
      expects: EXPECTS[route.backendProtocol ?? "auto"],
      overTls: route.backendTls,
      connectTimeoutMs: this.#connectTimeout(route),
    });
  }
}

/** Requests of routes with `send_proxy_protocol` come with their client as affinity. */
function proxyHeaderOf(affinity: object): Uint8Array {
  const { client: source, destination } = (affinity as DownstreamConnection).connection;
  return encodeProxyV2({ source, destination });
}

function timersOf(now: () => number, onCrash: OnCrash): Timers {
  return {
    now,
    after(ms, fn) {
      const timer = setTimeout(() => {
        try {
          fn();
        } catch (error) {
          onCrash(error);
        }
      }, ms);
      return () => clearTimeout(timer);
    },
  };
}
