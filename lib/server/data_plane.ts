import type { Admission } from "../connector/mod.ts";
import { type TlsMaterial, tlsMaterialId } from "../l7/mod.ts";
import {
  type ConnectionEvent,
  type Counters,
  describeError,
  type Descriptors,
  type LogSink,
  type RequestCounts,
  type RequestEvent,
  unlimitedDescriptors,
} from "../observe/mod.ts";
import type {
  Change,
  ConnectionQuery,
  ConnectorSnapshot,
  FoundConnections,
  ListenerSnapshot,
  RouteTally,
  Snapshot,
  TakenTallies,
} from "../plane/mod.ts";
import { type Clock, systemClock } from "../relay/mod.ts";
import { compileRoutes, type Route, type RouteTable } from "../routes/mod.ts";
import type { Sockets, TcpStream } from "../tcp/mod.ts";
import type { HandshakesOptions } from "../tls/mod.ts";
import { countEnded, Tallies, toEvent, toInfo, toTally } from "./accounting.ts";
import { serve } from "./connection.ts";
import { type Connection, cutOff, type Ending, socketAddress } from "./connection_state.ts";
import { Connector } from "./connector.ts";
import { Heaviest } from "./heaviest.ts";
import { ActiveListener } from "./listener.ts";
import { PlaneState } from "./plane_state.ts";
import { compileQuery } from "./query.ts";
import { recheckPeers } from "./recheck.ts";

/** Its own and that of its backend: who is let in must not fail for want of the second. */
const DESCRIPTORS_PER_CONNECTION = 2;

/** What the data plane is given from outside. */
export interface DataPlaneOptions {
  /** Index of this worker, for the gauges. */
  readonly worker: number;
  /** Starts every connection id; unique per incarnation of a worker. */
  readonly idPrefix: string;
  readonly sockets: Sockets;
  /** Default: as many as there are. */
  readonly descriptors?: Descriptors;
  readonly counters: Counters;
  /** Counts the requests of l7 connections. */
  readonly requests: RequestCounts;
  /** Receives one event per ended connection. */
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Receives one event per request of an l7 connection; absent: nobody wants them. */
  readonly onRequest?: (event: RequestEvent) => void;
  readonly log: LogSink;
  /** Decides about connections of mtls routes; absent: they are refused. */
  readonly admission?: Admission;
  readonly clock?: Clock;
  /** Default 5 s. */
  readonly peekTimeoutMs?: number;
  /** Bounds of TLS handshakes. */
  readonly handshakes?: HandshakesOptions;
}

/**
 * The data plane of one thread: accepts, routes and relays by the snapshot it was given last.
 * A connection looks its firewall, routes and settings up when it reaches each step, in one
 * turn of the event loop per step, so a change is seen whole or not at all.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #clock: Clock;
  readonly #descriptors: Descriptors;
  readonly #state: PlaneState;
  readonly #listeners = new Map<number, ActiveListener>();
  /** Routes of listeners to come, by their id. */
  readonly #staged = new Map<number, RouteTable>();
  readonly #connections = new Map<string, Connection>();
  readonly #tallies = new Tallies();
  readonly #heaviest: Heaviest;
  #sequence = 0;
  #idle: (() => void) | undefined;

  constructor(options: DataPlaneOptions, snapshot: Pick<Snapshot, "settings" | "firewall">) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const descriptors = this.#descriptors = options.descriptors ?? unlimitedDescriptors;
    const currentRoutes = (hostname: string) => this.#currentRoutes(hostname);
    const ownPorts = () => Array.from(this.#listeners.values(), ({ port }) => port);
    const more = { clock: this.#clock, currentRoutes, ownPorts, descriptors };
    this.#state = new PlaneState({ ...options, ...more }, snapshot);
    this.#heaviest = new Heaviest(this.#state);
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Applies changes in order. If one fails, those before it stay: the control plane then sends
   * the snapshot it wants to be true.
   *
   * @throws {ListenError} if a new listener cannot be bound.
   */
  async apply(changes: readonly Change[]): Promise<void> {
    for (const change of changes) await this.#applyOne(change);
    this.#state.l7.routesChanged();
  }

  /** The routes for a name on all listeners, with their TLS material. */
  *#currentRoutes(hostname: string): Generator<readonly [Route, TlsMaterial]> {
    for (const { routes } of this.#listeners.values()) {
      const route = routes.get(hostname);
      const material = route && this.#state.tls.get(tlsMaterialId(route));
      if (material !== undefined) yield [route as Route, material];
    }
  }

  async #applyOne(change: Change): Promise<void> {
    switch (change.kind) {
      case "snapshot":
        return await this.#applySnapshot(change.snapshot);
      case "firewall":
        return this.#state.setFirewall(change.firewall);
      case "rules":
        return this.#state.setRules(change.rules);
      case "rate_limit":
        return this.#state.setRateLimit(change.rateLimit);
      case "connector":
        return this.#applyConnector(change.connector);
      case "resolver":
        return this.#state.setResolver(change.resolver);
      case "add_listener":
        return await this.#addListener(change.listener);
      case "remove_listener":
        return this.#removeListener(change.listenerId);
      case "stage_routes":
        return this.#stageRoutes(change);
      case "routes": {
        const routes = this.#listeners.get(change.listenerId)?.routes;
        for (const hostname of change.remove) routes?.delete(hostname);
        for (const route of change.set) routes?.set(route);
        return;
      }
      case "tls":
        return this.#state.setTls(change.set, change.remove);
    }
  }

  async #applySnapshot(snapshot: Snapshot): Promise<void> {
    this.#state.setFirewall(snapshot.firewall);
    this.#state.setSettings(snapshot.settings);
    const { tls = [] } = snapshot;
    const used = new Set(tls.map(({ id }) => id));
    this.#state.setTls(tls, [...this.#state.tls.keys()].filter((id) => !used.has(id)));
    if (snapshot.connector !== undefined) this.#applyConnector(snapshot.connector);
    if (snapshot.resolver !== undefined) this.#state.setResolver(snapshot.resolver);
    const wanted = new Set(snapshot.listeners.map((listener) => listener.id));
    for (const id of this.#listeners.keys()) if (!wanted.has(id)) this.#removeListener(id);
    for (const listener of snapshot.listeners) await this.#addListener(listener);
  }

  #stageRoutes({ listenerId, first, routes }: Extract<Change, { kind: "stage_routes" }>): void {
    const staged = first ? undefined : this.#staged.get(listenerId);
    this.#staged.set(listenerId, addRoutes(routes, staged));
  }

  /** Binds, or updates in place a listener that is bound already. */
  async #addListener(snapshot: ListenerSnapshot): Promise<void> {
    const routes = addRoutes(snapshot.routes, this.#staged.get(snapshot.id));
    this.#staged.delete(snapshot.id);
    const existing = this.#listeners.get(snapshot.id);
    if (existing?.host === snapshot.host && existing.port === snapshot.port) {
      existing.update(snapshot, routes);
      return;
    }
    const listener = new ActiveListener(snapshot, routes);
    await listener.open(this.#options.sockets, (stream) => this.#accept(stream, listener));
    existing?.close();
    this.#listeners.set(snapshot.id, listener);
  }

  #removeListener(id: number): void {
    this.#listeners.get(id)?.close();
    this.#listeners.delete(id);
  }

  #applyConnector(snapshot: ConnectorSnapshot): void {
    const before = this.#state.connector;
    const connector = new Connector(snapshot, this.#state.trustMemory);
    this.#state.connector = connector;
    if (before === undefined || !connector.trustsOthersThan(before)) return;
    recheckPeers([...this.#connections.values()], this.#state).catch((error) =>
      this.#logError("live sessions could not be checked", error, {})
    );
  }

  #accept(stream: TcpStream, listener: ActiveListener): void {
    const startedAt = this.#clock.now();
    const { worker, idPrefix, counters } = this.#options;
    const peer = socketAddress(stream.peerName());
    if (peer === undefined) {
      // Already disconnected: there is nobody to speak of, but a flood of them has to show.
      counters.add("accepted");
      counters.add("client_gone");
      stream.close();
      return;
    }
    const connection: Connection = {
      id: `${idPrefix}-${(this.#sequence++).toString(36)}`,
      stream,
      listener,
      startedAt,
      peer,
      client: peer,
    };
    counters.add("accepted");
    if (this.#state.pressure?.refuses(Math.random()) === true) {
      this.#settle(connection, { outcome: "overloaded" });
      return;
    }
    if (!listener.gauge.acquire(worker, listener.maxConnections)) {
      this.#settle(connection, { outcome: "too_many_connections" });
      return;
    }
    if (!this.#descriptors.acquire(DESCRIPTORS_PER_CONNECTION)) {
      listener.gauge.release(worker);
      this.#settle(connection, { outcome: "no_descriptors" });
      return;
    }
    this.#connections.set(connection.id, connection);
    const ending = this.#serve(connection);
    if (!(ending instanceof Promise)) return this.#end(connection, ending);
    ending.then((ending) => this.#end(connection, ending)).catch((error) =>
      this.#logError("connection could not be settled", error, {})
    );
  }

  /** {@link serve}, with whatever it throws as an ending. */
  #serve(connection: Connection): Ending | Promise<Ending> {
    const failed = (error: unknown): Ending => {
      this.#logError("connection failed unexpectedly", error, { id: connection.id });
      return { outcome: "internal_error", reason: describeError(error) };
    };
    try {
      const ending = serve(connection, this.#state);
      return ending instanceof Promise ? ending.catch(failed) : ending;
    } catch (error) {
      return failed(error);
    }
  }

  #end(connection: Connection, ending: Ending): void {
    const { worker } = this.#options;
    connection.listener.gauge.release(worker);
    this.#descriptors.release(DESCRIPTORS_PER_CONNECTION);
    const { sourcePermit } = connection;
    if (sourcePermit !== undefined) this.#state.connectionLimiter?.release(sourcePermit, worker);
    this.#connections.delete(connection.id);
    this.#settle(connection, withCut(connection, ending));
    if (this.#connections.size === 0) this.#idle?.();
  }

  /** Step 7: the one place that closes what is open, counts and logs. */
  #settle(connection: Connection, ending: Ending): void {
    const { stream, listener } = connection;
    if (!stream.closed) stream.reset();
    const { counters, worker } = this.#options;
    const event = toEvent(connection, ending, this.#clock.now());
    countEnded(event, { counters, worker, gauge: listener.gauge, ruleType: ending.ruleType });
    this.#options.onEvent(event);
    this.#heaviest.countEnd(connection, ending.outcome);
    if (ending.ruleId !== undefined) this.#tallies.countHit(ending.ruleId);
    if (connection.route !== undefined) this.#tallies.countEnd(toTally(connection));
  }

  /** The oldest `limit` live connections that a query means. */
  findConnections(query: ConnectionQuery, limit: number): FoundConnections {
    const found = this.#query(query);
    const now = this.#clock.now();
    const connections = found.slice(0, limit).map((connection) => toInfo(connection, now));
    return { connections, total: found.length };
  }

  /** Cuts off those that a query means; how many there were. */
  closeConnections(query: ConnectionQuery): number {
    const found = this.#query(query);
    for (const connection of found) cutOff(connection, "closed_by_operator");
    return found.length;
  }

  #query(query: ConnectionQuery): Connection[] {
    const matches = compileQuery(query, this.#state);
    return [...this.#connections.values()].filter(matches);
  }

  /** What live connections have carried so far, by route. */
  liveTraffic(): readonly RouteTally[] {
    const live = new Tallies();
    for (const connection of this.#connections.values()) {
      if (connection.route !== undefined) live.countEnd(toTally(connection));
    }
    return live.take().routes;
  }

  /** What happened since this was asked the last time. */
  takeTallies(): TakenTallies {
    return { ...this.#tallies.take(), hitters: this.#heaviest.take(this.#connections.values()) };
  }

  /** Cuts one connection off; `false` if there is none of that id. */
  closeConnection(id: string): boolean {
    const connection = this.#connections.get(id);
    if (connection === undefined) return false;
    cutOff(connection, "closed_by_operator");
    return true;
  }

  /** Stops accepting; resolves when the last connection has ended. */
  async drain(): Promise<void> {
    for (const id of [...this.#listeners.keys()]) this.#removeListener(id);
    for (const { carrier } of this.#connections.values()) carrier?.shutdown?.();
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => this.#idle = resolve);
    }
    this.#state.connectDeadlines[Symbol.dispose]();
    this.#state.l7.close();
    this.#state.streams.close();
    this.#state.closeResolver();
  }

  /** Cuts every connection that is still open, and those that wait for a backend. */
  cutAll(): void {
    this.#state.connectDeadlines[Symbol.dispose]();
    for (const connection of [...this.#connections.values()]) cutOff(connection, "shutdown");
  }

  #logError(message: string, error: unknown, fields: Record<string, unknown>): void {
    this.#options.log({
      level: "error",
      message,
      fields: { ...fields, error: describeError(error) },
    });
  }
}

function addRoutes(routes: readonly Route[], table: RouteTable | undefined): RouteTable {
  if (table === undefined) return compileRoutes(routes);
  for (const route of routes) table.set(route);
  return table;
}

/** What cut a connection off counts more than what its path made of that. */
function withCut({ cutBy, cutReason }: Connection, ending: Ending): Ending {
  return cutBy === undefined ? ending : { ...ending, outcome: cutBy, reason: cutReason };
}
