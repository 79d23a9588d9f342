import { pathName, type RoutePath } from "./path.ts";
import type { Route } from "./route.ts";

/**
 * A route as one of its paths has it that leads somewhere of its own: what the path says of backends
 * takes the place of what the route says of its own.
 */
export function pathRoute(route: Route, rule: RoutePath): Route {
  const { backends: _, health: ofRoute, balance: usual, ...rest } = route;
  const { backend = route.backend, backends, balance = usual } = rule;
  const health = rule.health ?? (backends === undefined ? undefined : ofRoute);
  return {
    ...rest,
    pathName: pathName(rule),
    backend,
    ...backends !== undefined && { backends },
    ...balance !== undefined && { balance },
    ...health !== undefined && { health },
  };
}

/** A route, and the same as each of its paths has it that leads somewhere of its own. */
export function* waysOf(route: Route): Generator<Route> {
  yield route;
  if (route.mode !== "l7") return;
  for (const rule of route.paths ?? []) {
    if (rule.backend !== undefined) yield pathRoute(route, rule);
  }
}
