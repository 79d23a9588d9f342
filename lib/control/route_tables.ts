import type { ListenerSnapshot } from "../plane/mod.ts";
import { compileRoutes, type RouteTable } from "../routes/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { RoutePatch } from "./change_set.ts";

/** The routes of each listener, by the id of that, for look-ups. */
export class RouteTables {
  readonly #tables = new Map<number, RouteTable>();

  get all(): ReadonlyMap<number, RouteTable> {
    return this.#tables;
  }

  get(listenerId: number): RouteTable | undefined {
    return this.#tables.get(listenerId);
  }

  /** Begins anew. */
  replace(listeners: readonly ListenerSnapshot[]): void {
    this.#tables.clear();
    for (const { id, routes } of listeners) this.#tables.set(id, compileRoutes(routes));
  }

  /** Follows a change that is made. */
  *patch(patches: readonly RoutePatch[]): Steps<void> {
    for (const { listenerId, set, removed } of patches) {
      let table = this.#tables.get(listenerId);
      if (table === undefined) this.#tables.set(listenerId, table = compileRoutes([]));
      for (const hostname of removed) {
        table.delete(hostname);
        yield;
      }
      for (const route of set.values()) {
        table.set(route);
        yield;
      }
    }
  }

  /** Forgets listeners that are gone. */
  keepOnly(listeners: readonly ListenerSnapshot[]): void {
    const there = new Set(listeners.map(({ id }) => id));
    for (const id of this.#tables.keys()) if (!there.has(id)) this.#tables.delete(id);
  }
}
