import type { ConnectionQuery, ListenerSnapshot } from "../plane/mod.ts";
import { invalid, missing, present, refuseProblems } from "../queue/mod.ts";
import { Report } from "../schema/mod.ts";
import {
  type Backend,
  backendAddress,
  backendsOf,
  type BackendState,
  type Route,
  waysOf,
} from "../state/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import type { BackendStatus } from "./backend_status.ts";
import { findPath, pathsNamed } from "./path_named.ts";
import { checkHostname } from "./names.ts";
import type { Operation } from "./operation.ts";
import { refuseLast, refuseUnknown, withBackends } from "./route_backends.ts";
import type { RoutingAdministration } from "./routing_administration.ts";
import type { ServedState } from "./served_state.ts";

/** The longest that connections of a backend that drains are let live before they are cut. */
const MAX_DEADLINE_MS = 3_600_000;

/** A route, whose listener need not be named where the hostname is on one alone. */
export interface RouteName {
  readonly hostname: string;
  /** Empty: the one that has the hostname. */
  readonly listenerAddr: string;
  /** One of its paths, see {@link findPath}; empty: its own backends are meant, or all of them. */
  readonly path: string;
}

/** A backend of a route. */
export interface BackendName extends RouteName {
  readonly addr: string;
}

/** What a change of a backend has led to. */
export interface BackendChange {
  readonly status: BackendStatus;
  /** Connections that it had, and how many of them were cut. */
  readonly live: number;
  readonly closed: number;
}

/**
 * Changes of single backends: each is a change of their route, stored and audited like any other.
 * Connections that are open go on, until a deadline if there is one.
 */
export class BackendAdministration {
  readonly #state: ServedState;
  readonly #board: BackendBoard;
  readonly #routing: RoutingAdministration;
  readonly #deadlines = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(options: {
    readonly state: ServedState;
    readonly board: BackendBoard;
    readonly routing: RoutingAdministration;
  }) {
    this.#state = options.state;
    this.#board = options.board;
    this.#routing = options.routing;
  }

  /** The backends of one route, or of all routes that have several, a limit or checks. */
  list({ hostname, listenerAddr, path }: RouteName): BackendStatus[] {
    if (hostname === "" && path !== "") throw invalid("hostname", "is missing beside path");
    const listeners = listenerAddr === ""
      ? this.#state.snapshot.listeners
      : [this.#state.listener("listener_addr", listenerAddr)];
    const ids = new Set(listeners.map(({ id }) => id));
    const found = this.#board.status().filter(({ listenerId }) => ids.has(listenerId));
    if (hostname === "") return found;
    const name = checkHostname("hostname", hostname);
    const routes = listeners.flatMap((listener) => {
      const route = this.#state.table(listener.id)?.get(name);
      return route === undefined ? [] : [{ listener, route }];
    });
    if (routes.length === 0) throw missing(`the route ${name}`);
    const watched = found.filter((status) => status.route === name);
    const isWatched = ({ id }: ListenerSnapshot, { pathName = "" }: Route) =>
      watched.some((it) => it.listenerId === id && it.path === pathName && !it.isRemoved);
    const plain = routes.flatMap(({ listener, route }) => [
      ...waysOf(route).filter((way) => way.backend !== "" && !isWatched(listener, way))
        .map((way) => plainStatus(listener, way)),
    ]);
    const all = [...plain, ...watched];
    if (path === "") return all;
    const names = new Set(
      routes.flatMap(({ route }) => pathsNamed(route, path).map((it) => it.name)),
    );
    if (names.size === 0) throw missing(`the path ${path} of ${name}`);
    return all.filter((status) => names.has(status.path));
  }

  /** Adds a backend to a route. */
  async add(
    name: RouteName,
    backend: Backend,
    operation: Operation,
  ): Promise<BackendStatus> {
    const inFile = `add { addr = "${backend.addr}" } to the backends of ${wordsOf(name)}`;
    await this.#change(name, { ...operation, inFile }, (backends, subject) => {
      if (backends.some(({ addr }) => addr === backend.addr)) {
        throw present(`the backend ${backend.addr} of ${subject}`);
      }
      return [...backends, backend];
    });
    return this.#statusOf({ ...name, addr: backend.addr });
  }

  /** Takes a backend out of a route: no new connections; open ones go on, or are cut later. */
  async remove(
    name: BackendName,
    { deadlineMs }: { readonly deadlineMs: number | undefined },
    operation: Operation,
  ): Promise<Omit<BackendChange, "status">> {
    checkDeadline(deadlineMs);
    const addr = checkAddr(name.addr);
    const inFile = `take ${addr} out of the backends of ${wordsOf(name)}`;
    const query = await this.#change(name, { ...operation, inFile }, (backends, subject) => {
      refuseLast(backends, { addr, subject });
      return backends.filter((backend) => backend.addr !== addr);
    });
    return await this.#end({ ...query, backend: addr }, deadlineMs);
  }

  /**
   * Sets whether a backend is used. `drain`: open connections go on, or are cut at a deadline.
   * `down`: they are cut now.
   */
  async setState(
    name: BackendName,
    { state, deadlineMs }: {
      readonly state: BackendState;
      readonly deadlineMs: number | undefined;
    },
    operation: Operation,
  ): Promise<BackendChange> {
    checkDeadline(deadlineMs);
    if (deadlineMs !== undefined && state !== "drain") {
      throw invalid("deadline", "only a backend that drains has one");
    }
    const addr = checkAddr(name.addr);
    const inFile = `write state = "${state}" at the backend ${addr} of ${wordsOf(name)}`;
    const query = await this.#change(name, { ...operation, inFile }, (backends, subject) => {
      if (state === "up") refuseUnknown(backends, { addr, subject });
      else refuseLast(backends, { addr, subject });
      return backends.map((backend) => backend.addr === addr ? { ...backend, state } : backend);
    });
    const cutsAfter = state === "down" ? 0 : deadlineMs;
    const ended = state === "up"
      ? this.#keep({ ...query, backend: addr })
      : await this.#end({ ...query, backend: addr }, cutsAfter);
    return { ...ended, status: this.#statusOf({ ...name, addr }) };
  }

  /** Forgets deadlines: the program ends. */
  close(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer);
    this.#deadlines.clear();
  }

  /** Changes the backends of a route; says which connections took it. */
  async #change(
    name: RouteName,
    operation: Operation,
    change: (backends: readonly Backend[], subject: string) => readonly Backend[],
  ): Promise<ConnectionQuery> {
    const { listener, hostname } = this.#locate(name);
    const route = this.#state.route(listener, hostname);
    const path = name.path === "" ? "" : findPath(route, name.path).name;
    const subject = [listener.addr, hostname, path].filter((it) => it !== "").join(" ");
    await this.#routing.updateRoute({
      addr: listener.addr,
      hostname,
      close: false,
      change: (before) => withBackends(before, name.path, (backends) => change(backends, subject)),
    }, operation);
    return { listenerId: listener.id, route: hostname, path };
  }

  #locate({ hostname, listenerAddr }: Omit<RouteName, "path">): {
    readonly listener: ListenerSnapshot;
    readonly hostname: string;
  } {
    const name = checkHostname("hostname", hostname);
    if (listenerAddr !== "") {
      return { listener: this.#state.listener("listener_addr", listenerAddr), hostname: name };
    }
    const found = this.#state.snapshot.listeners
      .filter(({ id }) => this.#state.table(id)?.get(name) !== undefined);
    const [listener, ...others] = found;
    if (listener === undefined) throw missing(`the route ${name}`);
    if (others.length === 0) return { listener, hostname: name };
    const addresses = found.map(({ addr }) => addr).join(", ");
    throw invalid("listener_addr", `is missing: ${name} is on ${addresses}`);
  }

  #statusOf({ addr, ...name }: BackendName): BackendStatus {
    const { listener, hostname } = this.#locate(name);
    const { path } = name;
    const found = this.list({ hostname, listenerAddr: listener.addr, path })
      .find((it) => it.backend.addr === addr && (path !== "" || it.path === ""));
    if (found === undefined) throw missing(`the backend ${addr} of ${listener.addr} ${hostname}`);
    return found;
  }

  #keep(query: ConnectionQuery): { live: number; closed: number } {
    this.#forget(query);
    return { live: 0, closed: 0 };
  }

  /** Counts the connections of a backend that is not used any more, and cuts them in time. */
  async #end(
    query: ConnectionQuery,
    afterMs: number | undefined,
  ): Promise<{ live: number; closed: number }> {
    this.#forget(query);
    const { plane } = this.#state;
    if (afterMs === 0) {
      const closed = await plane.closeConnections(query);
      return { live: closed, closed };
    }
    const { total: live } = await plane.findConnections(query, 0);
    if (afterMs === undefined) return { live, closed: 0 };
    const key = JSON.stringify(query);
    const timer = setTimeout(() => {
      this.#deadlines.delete(key);
      // They are gone with the plane.
      plane.closeConnections(query).catch(() => {});
    }, afterMs);
    this.#deadlines.set(key, timer);
    return { live, closed: live };
  }

  #forget(query: ConnectionQuery): void {
    const key = JSON.stringify(query);
    clearTimeout(this.#deadlines.get(key));
    this.#deadlines.delete(key);
  }
}

function wordsOf({ hostname, path }: RouteName): string {
  return path === "" ? hostname : `${hostname} (${path})`;
}

function checkAddr(text: string): string {
  const report = new Report();
  const addr = backendAddress().check(text, { path: ["addr"], report });
  refuseProblems(report);
  return addr;
}

function checkDeadline(ms: number | undefined): void {
  if (ms === undefined || (ms >= 0 && ms <= MAX_DEADLINE_MS)) return;
  throw invalid("deadline", "not in 0–1 h");
}

/** A backend that is alone is not looked after. */
function plainStatus({ addr, id }: ListenerSnapshot, route: Route): BackendStatus {
  return {
    listener: addr,
    listenerId: id,
    route: route.hostname,
    path: route.pathName ?? "",
    backend: backendsOf(route)[0] as Backend,
    condition: "up",
    reason: "the only one: it is always used",
    open: 0,
    isRemoved: false,
    since: 0,
  };
}
