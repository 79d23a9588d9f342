import { type TlsMaterial, tlsMaterialId } from "../l7/mod.ts";
import type { Change, ListenerSnapshot } from "../plane/mod.ts";
import { compileRoutes, httpsPlace, type Route, type RouteTable } from "../routes/mod.ts";
import type { Sockets, TcpStream } from "../tcp/mod.ts";
import type { AcceptFailures } from "./accept_failures.ts";
import { ActiveListener } from "./listener.ts";

/** A change of one kind. */
type Of<Kind extends Change["kind"]> = Extract<Change, { kind: Kind }>;

/** What the listeners of a thread are given. */
export interface ListenersOptions {
  readonly sockets: Sockets;
  readonly onStream: (stream: TcpStream, listener: ActiveListener) => void;
  readonly failures: AcceptFailures;
}

/** The listeners of one worker, bound unless it is drained, and the routes of those to come. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<number, ActiveListener>();
  /** Routes of listeners to come, by their id. */
  readonly #staged = new Map<number, RouteTable>();
  #isDrained = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  [Symbol.iterator](): IterableIterator<ActiveListener> {
    return this.#listeners.values();
  }

  /** The routes for a name on all listeners, with their TLS material. */
  *currentRoutes(
    hostname: string,
    tls: ReadonlyMap<string, TlsMaterial>,
  ): Generator<readonly [Route, TlsMaterial]> {
    for (const { routes } of this) {
      const route = routes.get(hostname);
      const material = route && tls.get(tlsMaterialId(route));
      if (material !== undefined) yield [route as Route, material];
    }
  }

  /** See `HttpsPort`. */
  httpsPort(name: string, isAllowed: (route: Route) => boolean): number | undefined {
    return httpsPlace(this, name, isAllowed)?.port;
  }

  /** Keeps routes for a listener that comes later, in parts. */
  stage({ listenerId, first, routes }: Of<"stage_routes">): void {
    const staged = first ? undefined : this.#staged.get(listenerId);
    this.#staged.set(listenerId, addRoutes(routes, staged));
  }

  /**
   * Binds, or updates in place a listener that is bound already; its routes.
   *
   * @throws {ListenError} if it cannot be bound.
   */
  async add(snapshot: ListenerSnapshot): Promise<Iterable<Route>> {
    const routes = addRoutes(snapshot.routes, this.#staged.get(snapshot.id));
    this.#staged.delete(snapshot.id);
    const existing = this.#listeners.get(snapshot.id);
    if (existing?.host === snapshot.host && existing.port === snapshot.port) {
      existing.update(snapshot, routes);
      return routes;
    }
    const listener = new ActiveListener(snapshot, routes);
    if (this.#isWanted(listener)) await this.#open(listener);
    existing?.close();
    this.#listeners.set(snapshot.id, listener);
    return routes;
  }

  /** Whether new connections are refused. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  /**
   * Closes all listeners, or binds them again; they are changed as ever meanwhile.
   *
   * @throws {ListenError} if one cannot be bound.
   */
  async setDrained(isDrained: boolean): Promise<void> {
    this.#isDrained = isDrained;
    for (const listener of this) {
      if (!this.#isWanted(listener)) listener.close();
      else if (!listener.isOpen) await this.#open(listener);
    }
  }

  /**
   * Whether a listener is to be bound: connections wait in a socket of the service manager's whether or
   * not it is open here, so that whoever is not to be served has to be accepted to be told.
   */
  #isWanted(listener: ActiveListener): boolean {
    return !this.#isDrained || this.#options.sockets.isInherited?.(listener) === true;
  }

  async #open(listener: ActiveListener): Promise<void> {
    const { sockets, onStream, failures } = this.#options;
    await listener.open(sockets, {
      onStream: (stream) => onStream(stream, listener),
      onAcceptFailure: (code) => failures.report(listener.addr, code),
    });
  }

  /** Stops accepting; connections that were accepted go on. */
  remove(id: number): void {
    this.#listeners.get(id)?.close();
    this.#listeners.delete(id);
  }

  /** Removes all but these. */
  keepOnly(ids: ReadonlySet<number>): void {
    for (const id of this.#listeners.keys()) if (!ids.has(id)) this.remove(id);
  }

  /** Changes routes of a listener. */
  changeRoutes({ listenerId, remove, set }: Of<"routes">): void {
    const routes = this.#listeners.get(listenerId)?.routes;
    for (const hostname of remove) routes?.delete(hostname);
    for (const route of set) routes?.set(route);
  }
}

function addRoutes(routes: readonly Route[], table: RouteTable | undefined): RouteTable {
  if (table === undefined) return compileRoutes(routes);
  for (const route of routes) table.set(route);
  return table;
}
