import type { Endpoint } from "../addr/mod.ts";
import type { Database, ListenerRow } from "../db/mod.ts";
import {
  createRateLimiter,
  type FirewallRule,
  patchFirewallInSteps,
  RATE_NOTES,
} from "../firewall/mod.ts";
import { GAUGE_BYTES } from "../observe/mod.ts";
import type { Change, FirewallSnapshot, ListenerSnapshot, Snapshot } from "../plane/mod.ts";
import { missing } from "../queue/mod.ts";
import type { RouteTable } from "../routes/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { RateLimit, Route } from "../state/mod.ts";
import { withMemory } from "./route_memory.ts";

/** What the data plane has to do, and the state it leads to. */
export interface Compiled {
  readonly changes: readonly Change[];
  readonly snapshot: Snapshot;
  readonly routes: readonly RoutePatch[];
}

/** What changes in the routes of one listener. */
export interface RoutePatch {
  readonly listenerId: number;
  /** Added, or replacing the route of the same hostname. */
  readonly set: ReadonlyMap<string, Route>;
  readonly removed: ReadonlySet<string>;
}

interface MutableRoutePatch extends RoutePatch {
  readonly set: Map<string, Route>;
  readonly removed: Set<string>;
}

/** What a changeSet begins with. */
export interface ChangeSetBase {
  readonly database: Database;
  /** Those that there are. */
  readonly listeners: readonly ListenerSnapshot[];
  /** What is served; absent: nothing is, and nothing will be compiled. */
  readonly snapshot?: Snapshot;
  /** The routes of each listener, for look-ups. */
  readonly tables: ReadonlyMap<number, RouteTable>;
}

/**
 * The state as a mutation is about to make it. Edits write to the database and note here what they
 * did; {@link compile} turns the notes into the smallest changes that bring the data plane there.
 */
export class ChangeSet {
  readonly database: Database;
  readonly #base: ChangeSetBase;
  readonly #listeners: Map<string, ListenerSnapshot>;
  readonly #added = new Set<number>();
  readonly #updated = new Set<number>();
  readonly #removed = new Set<number>();
  readonly #routes = new Map<number, MutableRoutePatch>();
  readonly #rulesAdded: FirewallRule[] = [];
  readonly #rulesRemoved: number[] = [];
  #rateLimit: RateLimit | undefined;

  constructor(base: ChangeSetBase) {
    this.database = base.database;
    this.#base = base;
    this.#listeners = new Map(base.listeners.map((it) => [it.addr, it]));
  }

  /** @throws {RefusedError} if there is no such listener. */
  listener(addr: string): ListenerSnapshot {
    const found = this.#listeners.get(addr);
    if (found === undefined) throw missing(`the listener ${addr}`);
    return found;
  }

  /** The route of exactly this hostname. */
  route(listenerId: number, hostname: string): Route | undefined {
    const patch = this.#routes.get(listenerId);
    if (patch?.removed.has(hostname)) return undefined;
    return patch?.set.get(hostname) ?? this.#base.tables.get(listenerId)?.get(hostname);
  }

  addListener(row: ListenerRow, { host, port }: Endpoint): void {
    this.#added.add(row.id);
    this.#listeners.set(row.addr, {
      ...row,
      host,
      port,
      routes: [],
      gauge: new SharedArrayBuffer(GAUGE_BYTES),
    });
  }

  updateListener(row: ListenerRow): void {
    this.#updated.add(row.id);
    // Not over what it said before: a setting that the row leaves out is gone.
    const { host, port, routes, gauge } = this.listener(row.addr);
    this.#listeners.set(row.addr, { ...row, host, port, routes, gauge });
  }

  removeListener(addr: string): void {
    this.#removed.add(this.listener(addr).id);
    this.#listeners.delete(addr);
  }

  setRoute(listenerId: number, route: Route): void {
    const before = this.route(listenerId, route.hostname);
    const patch = this.#routePatch(listenerId);
    patch.removed.delete(route.hostname);
    patch.set.set(route.hostname, withMemory(route, before));
  }

  removeRoute(listenerId: number, hostname: string): void {
    const patch = this.#routePatch(listenerId);
    patch.set.delete(hostname);
    patch.removed.add(hostname);
  }

  addRule({ id, type, value, action, skipRateLimit }: FirewallRule): void {
    const more = { ...action && { action }, ...skipRateLimit && { skipRateLimit } };
    this.#rulesAdded.push({ id, type, value, ...more });
  }

  removeRule(id: number): void {
    this.#rulesRemoved.push(id);
  }

  setRateLimit(setting: RateLimit): void {
    this.#rateLimit = setting;
  }

  /** Everything noted, as changes in an order in which no step meets a half-made state. */
  *compile(): Steps<Compiled> {
    const { snapshot } = this.#base;
    if (snapshot === undefined) throw new TypeError("these changes are of rows alone");
    const changes: Change[] = [];
    const listeners: ListenerSnapshot[] = [];
    for (const listener of this.#listeners.values()) {
      listeners.push(yield* this.#withRoutes(listener, changes));
    }
    // Last: a port that goes from one listener to another is never without one.
    for (const listenerId of this.#removed) changes.push({ kind: "remove_listener", listenerId });
    const firewall = yield* this.#compileFirewall(snapshot.firewall, changes);
    const routes = [...this.#routes.values()];
    return { changes, snapshot: { ...snapshot, listeners, firewall }, routes };
  }

  *#withRoutes(listener: ListenerSnapshot, changes: Change[]): Steps<ListenerSnapshot> {
    const { id } = listener;
    const patch = this.#routes.get(id);
    const isReplaced = this.#added.has(id) || this.#updated.has(id);
    if (patch === undefined && !isReplaced) return listener;
    const routes = patch === undefined ? listener.routes : yield* this.#patched(listener, patch);
    const next = { ...listener, routes };
    if (isReplaced) {
      changes.push({ kind: "add_listener", listener: next });
    } else if (patch !== undefined) {
      const { set, removed } = patch;
      changes.push({
        kind: "routes",
        listenerId: id,
        set: [...set.values()],
        remove: [...removed],
      });
    }
    return next;
  }

  /** Those that stay where they are, and those that come behind them. */
  *#patched(
    { id, routes }: ListenerSnapshot,
    { set, removed }: RoutePatch,
  ): Steps<readonly Route[]> {
    const table = this.#base.tables.get(id);
    const added: Route[] = [];
    for (const route of set.values()) {
      if (table?.get(route.hostname) === undefined) added.push(route);
      yield;
    }
    // Copies pointers and nothing else where routes are only added: the usual case.
    if (removed.size === 0 && added.length === set.size) return routes.concat(added);
    const next: Route[] = [];
    for (const route of routes) {
      if (!removed.has(route.hostname)) next.push(set.get(route.hostname) ?? route);
      yield;
    }
    return next.concat(added);
  }

  *#compileFirewall(before: FirewallSnapshot, changes: Change[]): Steps<FirewallSnapshot> {
    let after = before;
    if (this.#rulesAdded.length > 0 || this.#rulesRemoved.length > 0) {
      const patch = { add: this.#rulesAdded, remove: this.#rulesRemoved };
      after = { ...after, rules: yield* patchFirewallInSteps(before.rules, patch) };
      changes.push({ kind: "rules", rules: after.rules });
    }
    if (this.#rateLimit === undefined) return after;
    const { rateLimit: _, ...rest } = after;
    const limit = compileRateLimit(this.#rateLimit);
    changes.push({ kind: "rate_limit", ...limit });
    return { ...rest, ...limit };
  }

  #routePatch(listenerId: number): MutableRoutePatch {
    let patch = this.#routes.get(listenerId);
    if (patch === undefined) {
      patch = { listenerId, set: new Map(), removed: new Set() };
      this.#routes.set(listenerId, patch);
    }
    return patch;
  }
}

/** A fresh limiter, with a key that nobody can guess collisions for; nothing when it is off. */
export function compileRateLimit(
  { limit, windowMs }: RateLimit,
): Pick<FirewallSnapshot, "rateLimit"> {
  if (limit === 0) return {};
  const key = crypto.getRandomValues(new Uint32Array(4));
  const { buffer } = createRateLimiter({ limit, windowMs, key, notes: RATE_NOTES });
  return { rateLimit: { limit, windowMs, buffer } };
}
