import {
  BackendCell,
  cellKey,
  type CellName,
  type Condition,
  type SharedCell,
  stateOf,
} from "../balance/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { type Backend, backendsOf, type Route, waysOf } from "../state/mod.ts";
import { type BackendStatus, changeEvent, statusOf, warningsOf } from "./backend_status.ts";
import type { RoutePatch } from "./change_set.ts";
import {
  cellNameOf,
  keyOf,
  watchedBackends,
  type WatchedRoute,
  watchedWays,
} from "./watched_backends.ts";

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
  readonly remove: readonly CellName[];
}

/**
 * The shared memory of backends, and how they are: who comes and goes, what has changed since it was
 * looked last. Routes with one backend and without checks have none of it.
 */
export class BackendBoard {
  readonly #options: BackendBoardOptions;
  /** By the names of their cells. */
  readonly #entries = new Map<string, Entry>();
  /** By the route's id: the route, and what its paths make of it. */
  readonly #routes = new Map<number, readonly WatchedRoute[]>();
  /** Why checks fail, by key. */
  reasonOf: (key: string) => string = () => "";

  constructor(options: BackendBoardOptions) {
    this.#options = options;
  }

  /** All shared memory, also of backends that nobody has any more and some still use. */
  get cells(): readonly SharedCell[] {
    return [...this.#entries.values()].map(({ shared }) => shared);
  }

  /** The routes whose backends are looked after, and the same as their paths have them. */
  get routes(): readonly WatchedRoute[] {
    return [...this.#routes.values()].flat();
  }

  cell(route: Route, addr: string): BackendCell | undefined {
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
      for (const { way, backends } of routes.values().flatMap(watchedWays)) {
        for (const { addr } of backends) {
          if (this.#entries.has(keyOf(way, addr))) continue;
          const buffer = BackendCell.create(this.#options.now());
          set.push({ ...cellNameOf(way, addr), buffer });
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
    const made = new Map(set.map((cell) => [cellKey(cell), cell]));
    const byId = new Map(listeners.map((listener) => [listener.id, listener]));
    for (const { listenerId, set: routes, removed } of patches) {
      const listener = byId.get(listenerId);
      if (listener === undefined) continue;
      for (const [id, [first]] of this.#routes) {
        const isRemoved = first !== undefined && removed.has(first.route.hostname);
        if (isRemoved && first.listener.id === listenerId) this.#routes.delete(id);
      }
      for (const route of routes.values()) {
        this.#set(listener, route, made);
        this.#raise(route, before(listenerId, route.hostname));
      }
    }
    for (const [id, [first]] of this.#routes) {
      if (first !== undefined && !byId.has(first.listener.id)) this.#routes.delete(id);
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
    return warningsOf(this.status());
  }

  /** Logs what has changed since it looked before. */
  look(): void {
    const now = this.#options.now();
    for (const [key, entry] of this.#entries) {
      if (entry.isRemoved) continue;
      const before = entry.condition;
      const { condition } = stateOf(entry.backend, entry.cell, now);
      if (condition === before) continue;
      entry.condition = condition;
      entry.since = now;
      // That it has its whole share again is no news.
      if (before === "starting" && condition === "up") continue;
      this.#options.log(changeEvent(this.#statusOf(key, entry, now), before));
    }
  }

  #statusOf(key: string, entry: Entry, now: number): BackendStatus {
    return statusOf(entry, { now, why: this.reasonOf(key) });
  }

  #set(
    listener: Pick<ListenerSnapshot, "id" | "addr">,
    route: Route,
    made: ReadonlyMap<string, SharedCell> = new Map(),
  ): void {
    const ways: WatchedRoute[] = [];
    for (const way of waysOf(route)) {
      const watched = { listener: { id: listener.id, addr: listener.addr }, route: way };
      const backends = watchedBackends(way);
      if (backends.length > 0) ways.push(watched);
      // The only one that is left is not looked after, and has not been removed.
      else this.#entries.delete(keyOf(way, way.backend));
      for (const backend of backends) {
        const key = keyOf(way, backend.addr);
        const entry = this.#entries.get(key) ?? this.#newEntry(watched, backend, made.get(key));
        Object.assign(entry, { backend, watched, isRemoved: false });
      }
    }
    if (ways.length > 0) this.#routes.set(route.id, ways);
    else this.#routes.delete(route.id);
  }

  /** One that comes to a route, or back to it, is not to get its whole share at once. */
  #raise(route: Route, before: Route | undefined): void {
    const ways = before === undefined ? [] : [...watchedWays(route)];
    if (before === undefined || ways.length === 0) return;
    const were = new Set(
      [...waysOf(before)].flatMap((way) =>
        backendsOf(way).filter(({ state }) => state === "up").map(({ addr }) => keyOf(way, addr))
      ),
    );
    for (const { way, backends } of ways) {
      for (const { addr, state } of backends) {
        const isNew = state === "up" && !were.has(keyOf(way, addr));
        if (isNew) this.cell(way, addr)?.rise(this.#options.now());
      }
    }
  }

  #newEntry(watched: WatchedRoute, backend: Backend, made: SharedCell | undefined): Entry {
    const now = this.#options.now();
    const { route } = watched;
    const name = cellNameOf(route, backend.addr);
    const shared = made ?? { ...name, buffer: BackendCell.create(now) };
    const cell = new BackendCell(shared.buffer);
    const { condition } = stateOf(backend, cell, now);
    const entry = {
      ...{ cell, shared, backend, watched, condition },
      isRemoved: false,
      since: now,
    };
    this.#entries.set(cellKey(name), entry);
    return entry;
  }

  /** Marks backends that no route has. */
  #dropUnknown(): void {
    const there = new Set(
      this.routes.flatMap(({ route }) =>
        watchedBackends(route).map(({ addr }) => keyOf(route, addr))
      ),
    );
    for (const [key, entry] of this.#entries) {
      if (entry.isRemoved || there.has(key)) continue;
      entry.isRemoved = true;
      entry.since = this.#options.now();
    }
  }

  #dropEmpty(): CellName[] {
    const dropped: CellName[] = [];
    for (const [key, { isRemoved, cell, shared }] of this.#entries) {
      if (!isRemoved || cell.open > 0) continue;
      this.#entries.delete(key);
      const { buffer: _, ...name } = shared;
      dropped.push(name);
    }
    return dropped;
  }
}
