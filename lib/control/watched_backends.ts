import { type BalancedBackend, cellKey, type CellName } from "../balance/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { type Backend, backendsOf, type Route, waysOf } from "../state/mod.ts";

/** A route with backends that are looked after, or the route as one of its paths has it. */
export interface WatchedRoute {
  readonly listener: Pick<ListenerSnapshot, "id" | "addr">;
  readonly route: Route;
}

/** Those of a route that are looked after: several, or one with a limit or with checks. */
export function watchedBackends(route: Route): readonly (Backend & BalancedBackend)[] {
  if (route.backends === undefined && route.health === undefined) return [];
  return backendsOf(route);
}

/** The backends of a route and of its paths that are looked after, by the ways that lead to them. */
export function* watchedWays(
  route: Route,
): Generator<{ readonly way: Route; readonly backends: readonly (Backend & BalancedBackend)[] }> {
  for (const way of waysOf(route)) {
    const backends = watchedBackends(way);
    if (backends.length > 0) yield { way, backends };
  }
}

/** What the shared memory of a backend is called. */
export function cellNameOf({ id: route, pathName: path }: Route, addr: string): CellName {
  return { route, path, addr };
}

/** Tells a backend of a route, or of one of its paths, from all others. */
export function keyOf(route: Route, addr: string): string {
  return cellKey(cellNameOf(route, addr));
}
