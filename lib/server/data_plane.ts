import { describeError, type Descriptors, unlimitedDescriptors } from "../observe/mod.ts";
import type {
  Change,
  ConnectionQuery,
  ConnectorSnapshot,
  FoundConnections,
  ListenerSnapshot,
  RouteCount,
  Snapshot,
  TakenCounts,
} from "../plane/mod.ts";
import { type Clock, systemClock } from "../relay/mod.ts";
import { waysOf } from "../state/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { AcceptFailures } from "./accept_failures.ts";
import { Bookkeeping } from "./bookkeeping.ts";
import { serve } from "./connection.ts";
import { Connection, type Ending, socketAddress, withCut } from "./connection_state.ts";
import { Connector } from "./connector.ts";
import type { DataPlaneOptions } from "./data_plane_options.ts";
import type { ActiveListener } from "./listener.ts";
import { Listeners } from "./listeners.ts";
import { LiveConnections } from "./live_connections.ts";
import { type HttpsPort, PlaneState } from "./plane_state.ts";
import { recheckPeers } from "./recheck.ts";

/** Its own and that of its backend: who is let in must not fail for want of the second. */
const DESCRIPTORS_PER_CONNECTION = 2;

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
  readonly #listeners: Listeners;
  readonly #connections: LiveConnections;
  readonly #books: Bookkeeping;
  #sequence = 0;
  #idle: (() => void) | undefined;

  constructor(options: DataPlaneOptions, snapshot: Pick<Snapshot, "settings" | "firewall">) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const descriptors = this.#descriptors = options.descriptors ?? unlimitedDescriptors;
    const currentRoutes = (hostname: string) =>
      this.#listeners.currentRoutes(hostname, this.#state.tls);
    const httpsPort: HttpsPort = (name, isAllowed) => this.#listeners.httpsPort(name, isAllowed);
    const ownPorts = () => Array.from(this.#listeners, ({ port }) => port);
    const more = { clock: this.#clock, currentRoutes, httpsPort, ownPorts, descriptors };
    this.#state = new PlaneState({ ...options, ...more }, snapshot);
    this.#connections = new LiveConnections(this.#state);
    this.#books = new Bookkeeping(options, this.#state);
    const { sockets, counters, log } = options;
    this.#listeners = new Listeners({
      sockets,
      onStream: (stream, listener) => this.#accept(stream, listener),
      failures: new AcceptFailures({ counters, log, now: () => this.#clock.now() }),
    });
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

  async #applyOne(change: Change): Promise<void> {
    switch (change.kind) {
      case "snapshot":
        return await this.#applySnapshot(change.snapshot);
      case "firewall":
        return this.#state.sources.replace(change.firewall);
      case "rules":
        return this.#state.sources.setRules(change.rules);
      case "rate_limit":
        return this.#state.sources.setRateLimit(change.rateLimit);
      case "connector":
        return this.#applyConnector(change.connector);
      case "resolver":
        return this.#state.setResolver(change.resolver);
      case "add_listener":
        return await this.#addListener(change.listener);
      case "remove_listener":
        return this.#listeners.remove(change.listenerId);
      case "stage_routes":
        return this.#listeners.stage(change);
      case "routes":
        this.#listeners.changeRoutes(change);
        return this.#state.balancers.changed(change.set.values().flatMap(waysOf));
      case "backends":
        return this.#state.balancers.setCells(change.set, change.remove);
      case "drained":
        return await this.#setDrained(change.isDrained);
      case "challenges":
        return this.#state.challenges.set(change.challenges);
      case "tls":
        return this.#state.setTls(change.set, change.remove);
      case "pages":
        return this.#state.setPages(change.set, change.remove);
    }
  }

  async #applySnapshot(snapshot: Snapshot): Promise<void> {
    this.#state.sources.replace(snapshot.firewall);
    this.#state.setSettings(snapshot.settings);
    const { tls = [] } = snapshot;
    const used = new Set(tls.map(({ id }) => id));
    this.#state.setTls(tls, [...this.#state.tls.keys()].filter((id) => !used.has(id)));
    const { pages = [] } = snapshot;
    const files = new Set(pages.map(({ file }) => file));
    this.#state.setPages(pages, [...this.#state.pages.keys()].filter((it) => !files.has(it)));
    this.#state.challenges.set(snapshot.challenges ?? []);
    if (snapshot.connector !== undefined) this.#applyConnector(snapshot.connector);
    if (snapshot.resolver !== undefined) this.#state.setResolver(snapshot.resolver);
    this.#state.balancers.setCells(snapshot.backends ?? [], []);
    this.#listeners.keepOnly(new Set(snapshot.listeners.map((listener) => listener.id)));
    const { isDrained = false } = snapshot;
    if (isDrained) await this.#setDrained(true);
    for (const listener of snapshot.listeners) await this.#addListener(listener);
    if (!isDrained) await this.#setDrained(false);
  }

  async #addListener(listener: ListenerSnapshot): Promise<void> {
    const { balancers } = this.#state;
    const routes = await this.#listeners.add(listener);
    balancers.changed(Iterator.from(routes).flatMap(waysOf));
  }

  /** Whoever is connected is asked to come back elsewhere, as far as its protocol has a word for it. */
  async #setDrained(isDrained: boolean): Promise<void> {
    if (isDrained === this.#listeners.isDrained) return;
    await this.#listeners.setDrained(isDrained);
    if (!isDrained) return;
    for (const { carrier } of this.#connections) carrier?.shutdown?.();
  }

  #applyConnector(snapshot: ConnectorSnapshot): void {
    const before = this.#state.connector;
    const connector = new Connector(snapshot, this.#state.trustMemory);
    this.#state.connector = connector;
    if (before === undefined || !connector.trustsOthersThan(before)) return;
    recheckPeers([...this.#connections], this.#state).catch((error) =>
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
    const sequence = this.#sequence++;
    const connection = new Connection({ stream, listener, startedAt, peer, idPrefix, sequence });
    counters.add("accepted");
    if (this.#listeners.isDrained) {
      this.#settle(connection, { outcome: "shutdown" });
      return;
    }
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
    this.#connections.add(connection);
    this.#serve(connection);
  }

  /** {@link serve}, to the end; whatever it throws is one. */
  #serve(connection: Connection): void {
    let ending: Ending | Promise<Ending>;
    try {
      ending = serve(connection, this.#state);
    } catch (error) {
      return this.#fail(connection, error);
    }
    if (!(ending instanceof Promise)) return this.#end(connection, ending);
    ending.then(
      (ending) => this.#end(connection, ending),
      (error) => this.#fail(connection, error),
    ).catch((error) => this.#logError("connection could not be settled", error, {}));
  }

  #fail(connection: Connection, error: unknown): void {
    this.#logError("connection failed unexpectedly", error, { id: connection.id });
    this.#end(connection, { outcome: "internal_error", reason: describeError(error) });
  }

  #end(connection: Connection, ending: Ending): void {
    const { worker } = this.#options;
    connection.listener.gauge.release(worker);
    this.#descriptors.release(DESCRIPTORS_PER_CONNECTION);
    const { sourcePermit } = connection;
    if (sourcePermit !== undefined) {
      this.#state.sources.connectionLimiter?.release(sourcePermit, worker);
    }
    connection.routePermits?.release(worker);
    if (connection.spared !== undefined) this.#state.challenges.unspare();
    this.#connections.delete(connection);
    this.#settle(connection, withCut(connection, ending));
    if (this.#connections.size === 0) this.#idle?.();
  }

  /** Step 7: the one place that closes what is open, counts and logs. */
  #settle(connection: Connection, ending: Ending): void {
    const { stream } = connection;
    if (!stream.closed) stream.reset();
    this.#books.end(connection, ending);
  }

  /** The oldest `limit` live connections that a query means. */
  findConnections(query: ConnectionQuery, limit: number): FoundConnections {
    return this.#connections.find(query, limit);
  }

  /** Cuts off those that a query means; how many there were. */
  closeConnections(query: ConnectionQuery): number {
    return this.#connections.close(query);
  }

  /** Open connections by route; what they carry is in the counts. */
  liveTraffic(): readonly RouteCount[] {
    return this.#connections.traffic();
  }

  /** Cuts one connection off; `false` if there is none of that id. */
  closeConnection(id: string): boolean {
    return this.#connections.closeOne(id);
  }

  /** What happened since this was asked the last time. */
  takeCounts(): TakenCounts {
    return this.#books.take(this.#connections);
  }

  /** Stops accepting; resolves when the last connection has ended. */
  async drain(): Promise<void> {
    this.#listeners.keepOnly(new Set());
    for (const { carrier } of this.#connections) carrier?.shutdown?.();
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => this.#idle = resolve);
    }
    this.#books.flush();
    this.#state.endDials();
    this.#state.l7.close();
    this.#state.balancers[Symbol.dispose]();
    this.#state.closeResolver();
    this.#state.restTimers();
  }

  /** Cuts every connection that is still open, and those that wait for a backend. */
  cutAll(): void {
    this.#state.endDials();
    this.#connections.cutAll();
  }

  #logError(message: string, error: unknown, fields: Record<string, unknown>): void {
    this.#options.log({
      level: "error",
      message,
      fields: { ...fields, error: describeError(error) },
    });
  }
}
