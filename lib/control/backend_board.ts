import {
  BackendCell,
  type BackendState,
  type BalancedBackend,
  type Condition,
  type SharedCell,
  stateOf,
} from "../balance/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { type Backend, backendsOf, type Route } from "../state/mod.ts";
import type { RoutePatch } from "./change_set.ts";

/** So many sick backends are told one by one. */
const MAX_WARNINGS = 20;

/** A backend of a route, and how it is. */
export interface BackendStatus extends BackendState {
  /** The listener's address as configured. */
  readonly listener: string;
  readonly listenerId: number;
  /** The hostname of the route. */
  readonly route: string;
  readonly backend: Backend;
  /** No route has it any more, and it has connections left. */
  readonly isRemoved: boolean;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** A route with backends that are looked after. */
export interface WatchedRoute {
  readonly listener: Pick<ListenerSnapshot, "id" | "addr">;
  readonly route: Route;
}

interface Entry {
  readonly cell: BackendCell;
  readonly shared: SharedCell;
  backend: Backend;
  watched: WatchedRoute;
  isRemoved: boolean;
  condition: Condition;
  since: number;
}

/** What a {@link BackendBoard} works with. */
export interface BackendBoardOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: LogSink;
}

/** What the workers have to be told before routes that are about to change. */
export interface CellChange {
  readonly set: readonly SharedCell[];
  readonly remove: readonly Omit<SharedCell, "buffer">[];
}

/**
 * The shared memory of backends, and how they are: who comes and goes, what has changed since it was
 * looked last. Routes with one backend and without checks have none of it.
 */
export class BackendBoard {
  readonly #options: BackendBoardOptions;
  /** By the route's id and the backend's address. */
  readonly #entries = new Map<string, Entry>();
  readonly #routes = new Map<number, WatchedRoute>();
  /** Why checks fail, by key. */
  reasonOf: (key: string) => string = () => "";

  constructor(options: BackendBoardOptions) {
    this.#options = options;
  }

  /** All shared memory, also of backends that nobody has any more and some still use. */
  get cells(): readonly SharedCell[] {
    return [...this.#entries.values()].map(({ shared }) => shared);
  }

  /** The routes whose backends are looked after. */
  get routes(): Iterable<WatchedRoute> {
    return this.#routes.values();
  }

  cell(route: number, addr: string): BackendCell | undefined {
    return this.#entries.get(keyOf(route, addr))?.cell;
  }

  /** Takes all routes of a state, as at a start. */
  replace(listeners: readonly ListenerSnapshot[]): void {
    this.#routes.clear();
    for (const listener of listeners) {
      for (const route of listener.routes) this.#set(listener, route);
    }
    this.#dropUnknown();
  }

  /**
   * Makes memory for backends of routes that are about to be set, and forgets that of backends whose
   * last connection has ended.
   */
  prepare(patches: readonly RoutePatch[]): CellChange {
    const remove = this.#dropEmpty();
    const set: SharedCell[] = [];
    for (const { set: routes } of patches) {
      for (const route of routes.values()) {
        for (const { addr } of watchedBackends(route)) {
          if (this.#entries.has(keyOf(route.id, addr))) continue;
          const buffer = BackendCell.create(this.#options.now());
          set.push({ route: route.id, addr, buffer });
        }
      }
    }
    return { set, remove };
  }

  /** The change is in effect. */
  follow(
    patches: readonly RoutePatch[],
    listeners: readonly ListenerSnapshot[],
    { set, before }: Pick<CellChange, "set"> & {
      /** The route that a patch replaces, if there was one. */
      readonly before: (listenerId: number, hostname: string) => Route | undefined;
    },
  ): void {
    const made = new Map(set.map((cell) => [keyOf(cell.route, cell.addr), cell]));
    const byId = new Map(listeners.map((listener) => [listener.id, listener]));
    for (const { listenerId, set: routes, removed } of patches) {
      const listener = byId.get(listenerId);
      if (listener === undefined) continue;
      for (const [id, { route, listener }] of this.#routes) {
        if (listener.id === listenerId && removed.has(route.hostname)) this.#routes.delete(id);
      }
      for (const route of routes.values()) {
        this.#set(listener, route, made);
        this.#raise(route, before(listenerId, route.hostname));
      }
    }
    for (const [id, { listener }] of this.#routes) {
      if (!byId.has(listener.id)) this.#routes.delete(id);
    }
    this.#dropUnknown();
  }

  /** How every backend is. */
  status(): BackendStatus[] {
    const now = this.#options.now();
    return [...this.#entries].map(([key, entry]) => this.#statusOf(key, entry, now))
      .filter(({ isRemoved, open }) => !isRemoved || open > 0);
  }

  /** Backends that are not well, one sentence each; what an operator wanted is no warning. */
  warnings(): string[] {
    const sick = this.status().filter(({ condition, isRemoved }) =>
      !isRemoved && (condition === "failing" || condition === "out")
    );
    const shown = sick.slice(0, MAX_WARNINGS).map(
      ({ backend, route, condition, reason, since }) => {
        const time = new Date(since).toISOString();
        return `the backend ${backend.addr} of ${route} is ${condition} since ${time}: ${reason}`;
      },
    );
    const more = sick.length - shown.length;
    return more === 0 ? shown : [...shown, `${more} more backends are failing or out`];
  }

  /** Logs what has changed since it looked before. */
  look(): void {
    const now = this.#options.now();
    for (const [key, entry] of this.#entries) {
      if (entry.isRemoved) continue;
      const { condition, reason, open } = this.#statusOf(key, entry, now);
      if (condition === entry.condition) continue;
      const from = entry.condition;
      entry.condition = condition;
      entry.since = now;
      // That it has its whole share again is no news.
      if (from === "starting" && condition === "up") continue;
      const isBad = condition === "failing" || condition === "out";
      this.#options.log({
        level: isBad ? "warn" : "info",
        message: `backend is ${WORDS[condition]}`,
        fields: {
          listener: entry.watched.listener.addr,
          route: entry.watched.route.hostname,
          backend: entry.backend.addr,
          state: condition,
          before: from,
          ...reason !== "" && { reason },
          open,
        },
      });
    }
  }

  #statusOf(key: string, entry: Entry, now: number): BackendStatus {
    const { cell, backend, watched: { listener, route }, isRemoved, since } = entry;
    const state = stateOf(isRemoved ? { ...backend, state: "drain" } : backend, cell, now);
    const why = state.condition === "failing" ? this.reasonOf(key) : "";
    return {
      ...state,
      ...why !== "" && { reason: why },
      ...isRemoved && { reason: "removed; its last connections have not ended" },
      listener: listener.addr,
      listenerId: listener.id,
      route: route.hostname,
      backend,
      isRemoved,
      since: state.condition === "out" && !isRemoved ? cell.outAt : since,
    };
  }

  #set(
    listener: Pick<ListenerSnapshot, "id" | "addr">,
    route: Route,
    made: ReadonlyMap<string, SharedCell> = new Map(),
  ): void {
    const backends = watchedBackends(route);
    if (backends.length === 0) {
      this.#routes.delete(route.id);
      // The only one that is left is not looked after, and has not been removed.
      this.#entries.delete(keyOf(route.id, route.backend));
    }
    const watched = { listener: { id: listener.id, addr: listener.addr }, route };
    if (backends.length > 0) this.#routes.set(route.id, watched);
    for (const backend of backends) {
      const key = keyOf(route.id, backend.addr);
      const entry = this.#entries.get(key) ?? this.#newEntry(watched, backend, made.get(key));
      Object.assign(entry, { backend, watched, isRemoved: false });
    }
  }

  /** One that comes to a route, or back to it, is not to get its whole share at once. */
  #raise(route: Route, before: Route | undefined): void {
    if (before === undefined) return;
    const were = new Set(
      backendsOf(before).filter(({ state }) => state === "up").map(({ addr }) => addr),
    );
    for (const { addr, state } of watchedBackends(route)) {
      if (state !== "up" || were.has(addr)) continue;
      this.cell(route.id, addr)?.rise(this.#options.now());
    }
  }

  #newEntry(watched: WatchedRoute, backend: Backend, made: SharedCell | undefined): Entry {
    const now = this.#options.now();
    const { route } = watched;
    const shared = made ??
      { route: route.id, addr: backend.addr, buffer: BackendCell.create(now) };
    const cell = new BackendCell(shared.buffer);
    const { condition } = stateOf(backend, cell, now);
    const entry = {
      ...{ cell, shared, backend, watched, condition },
      isRemoved: false,
      since: now,
    };
    this.#entries.set(keyOf(route.id, backend.addr), entry);
    return entry;
  }

  /** Marks backends that no route has. */
  #dropUnknown(): void {
    for (const entry of this.#entries.values()) {
      const { route: id, addr } = entry.shared;
      const watched = this.#routes.get(id);
      const isThere = watched !== undefined &&
        watchedBackends(watched.route).some((backend) => backend.addr === addr);
      if (isThere || entry.isRemoved) continue;
      entry.isRemoved = true;
      entry.since = this.#options.now();
    }
  }

  #dropEmpty(): Omit<SharedCell, "buffer">[] {
    const dropped: Omit<SharedCell, "buffer">[] = [];
    for (const [key, { isRemoved, cell, shared: { route, addr } }] of this.#entries) {
      if (!isRemoved || cell.open > 0) continue;
      this.#entries.delete(key);
      dropped.push({ route, addr });
    }
    return dropped;
  }
}

const WORDS: Readonly<Record<Condition, string>> = {
  up: "up",
  starting: "back",
  failing: "failing",
  out: "out",
  drain: "draining",
  down: "down",
};

/** Those of a route that are looked after: several, or one with a limit or with checks. */
export function watchedBackends(route: Route): readonly (Backend & BalancedBackend)[] {
  if (route.mode === "mtls") return [];
  if (route.backends === undefined && route.health === undefined) return [];
  return backendsOf(route);
}

/** Tells a backend of a route from all others. */
export function keyOf(route: number, addr: string): string {
  return `${route} ${addr}`;
}
