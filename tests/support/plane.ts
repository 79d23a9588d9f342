/**
 * A data plane in this thread, on `127.0.0.1` and a free port, with the events it reports.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Admission } from "../../lib/connector/mod.ts";
import { compileFirewall, type FirewallRule } from "../../lib/firewall/mod.ts";
import {
  type ConnectionEvent,
  ConnectionGauge,
  GAUGE_BYTES,
  type LogRecord,
  type RequestEvent,
} from "../../lib/observe/mod.ts";
import type {
  ConnectorSnapshot,
  FirewallSnapshot,
  ListenerSnapshot,
  Settings,
  Snapshot,
} from "../../lib/plane/mod.ts";
import type { Clock } from "../../lib/relay/mod.ts";
import type { Route } from "../../lib/routes/mod.ts";
import type { SocketsKind } from "../../lib/tcp/mod.ts";
import type { HandshakesOptions } from "../../lib/tls/mod.ts";
import { InlinePlane } from "../../lib/workers/mod.ts";
import { eventually } from "./deadline.ts";
import { unusedPort } from "./ports.ts";

/** Settings of {@link startPlane}; what is left out is off. */
export interface PlaneOptions {
  readonly routes?: readonly (Partial<Route> & Pick<Route, "hostname" | "backend">)[];
  readonly rules?: readonly Omit<FirewallRule, "id">[];
  readonly firewall?: Partial<FirewallSnapshot>;
  readonly listener?: Partial<ListenerSnapshot>;
  /** More of them; see {@link listenerOf}. */
  readonly others?: readonly ListenerSnapshot[];
  readonly challenges?: Snapshot["challenges"];
  readonly settings?: Partial<Settings>;
  readonly tls?: NonNullable<Snapshot["tls"]>;
  readonly connector?: ConnectorSnapshot;
  readonly resolver?: Snapshot["resolver"];
  readonly admission?: Admission;
  readonly peekTimeoutMs?: number;
  readonly handshakes?: HandshakesOptions;
  readonly sockets?: SocketsKind;
  /** Default: that of the machine. */
  readonly clock?: Clock;
}

/** A running plane. Disposing of it fails the test when a connection is left open. */
export class TestPlane implements AsyncDisposable {
  readonly events: ConnectionEvent[] = [];
  /** Requests of l7 routes. */
  readonly requests: RequestEvent[] = [];
  readonly logs: LogRecord[] = [];
  readonly snapshot: Snapshot;
  #plane: InlinePlane | undefined;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  get plane(): InlinePlane {
    assert(this.#plane !== undefined, "the plane was started");
    return this.#plane;
  }

  get port(): number {
    return this.snapshot.listeners[0]?.port ?? 0;
  }

  /** Connections that hold a permit. */
  get active(): number {
    const { listeners } = this.snapshot;
    return listeners.reduce((sum, { gauge }) => sum + new ConnectionGauge(gauge).active, 0);
  }

  async start(
    { peekTimeoutMs, handshakes, admission, sockets, clock }: PlaneOptions,
  ): Promise<this> {
    this.#plane = await InlinePlane.start(this.snapshot, {
      idPrefix: "t",
      onEvent: (event) => this.events.push(event),
      onRequest: (event) => this.requests.push(event),
      log: (record) => this.logs.push(record),
      ...sockets && { sockets },
      ...clock && { clock },
      ...peekTimeoutMs !== undefined && { peekTimeoutMs },
      ...handshakes && { handshakes },
      ...admission && { admission },
    });
    return this;
  }

  /** Waits for the event number `index` (from 0) and returns it. */
  async event(index = 0): Promise<ConnectionEvent> {
    await eventually(() => this.events.length > index, `connection event ${index}`);
    const event = this.events[index];
    assert(event !== undefined);
    return event;
  }

  /** Waits for the request number `index` (from 0) and returns what was logged of it. */
  async request(index = 0): Promise<RequestEvent> {
    await eventually(() => this.requests.length > index, `request event ${index}`);
    const event = this.requests[index];
    assert(event !== undefined);
    return event;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await eventually(() => this.active === 0, "the proxy's last connection ends");
      assert.deepEqual(this.logs.filter(({ level }) => level === "error"), []);
    } finally {
      await this.#plane?.drain(0);
    }
  }
}

/** Starts a plane with one listener. */
export async function startPlane(options: PlaneOptions = {}): Promise<TestPlane> {
  const listener = listenerOf(await unusedPort(), {
    routes: (options.routes ?? []).map(routeOf),
    ...options.listener,
  });
  const rules = (options.rules ?? []).map((rule, i) => ({ id: i + 1, ...rule }));
  const plane = new TestPlane({
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000, ...options.settings },
    listeners: [listener, ...options.others ?? []],
    ...options.challenges && { challenges: options.challenges },
    ...options.tls !== undefined && { tls: options.tls },
    ...options.connector && { connector: options.connector },
    ...options.resolver && { resolver: options.resolver },
    firewall: { rules: compileFirewall(rules), ...options.firewall },
  });
  return await plane.start(options);
}

/** A listener on `127.0.0.1` without routes, limits and PROXY protocol. */
export function listenerOf(
  port: number,
  changes: Partial<ListenerSnapshot> = {},
): ListenerSnapshot {
  return {
    id: 1,
    addr: `127.0.0.1:${port}`,
    host: "127.0.0.1",
    port,
    proxyProtocol: false,
    maxConnections: 0,
    trustedProxies: [],
    routes: [],
    gauge: new SharedArrayBuffer(GAUGE_BYTES),
    ...changes,
  };
}

/** A route with the defaults of an l4 route. */
export function routeOf(
  route: Partial<Route> & Pick<Route, "hostname" | "backend">,
  index = 0,
): Route {
  return {
    id: index + 1,
    mode: "l4",
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: false,
    ...route,
  };
}
