import type { Route } from "../state/mod.ts";
import { isNamed, type RouteTable } from "./route_table.ts";

/** The port that a URL need not name. */
const HTTPS_PORT = 443;

/** A listener, as far as plain HTTP can be sent there. */
export interface HttpsListener {
  readonly port: number;
  /** It speaks plain HTTP itself. */
  readonly isRedirect: boolean;
  readonly routes: RouteTable;
}

/** Where `https` of a name is. */
export interface HttpsPlace {
  readonly port: number;
  readonly route: Route;
}

/**
 * The listener whose l7 route takes a name, if there is one whose route `isAllowed`: of several the one
 * at 443, else the lowest port. A default route does not count, as any name would be its: nobody is
 * sent to whatever name he said.
 */
export function httpsPlace(
  listeners: Iterable<HttpsListener>,
  name: string,
  isAllowed: (route: Route) => boolean,
): HttpsPlace | undefined {
  let best: HttpsPlace | undefined;
  for (const { port, isRedirect, routes } of listeners) {
    if (isRedirect || best?.port === HTTPS_PORT) continue;
    const route = routes.match(name);
    if (route?.mode !== "l7" || !isNamed(route, name) || !isAllowed(route)) continue;
    if (best === undefined || port === HTTPS_PORT || port < best.port) best = { port, route };
  }
  return best;
}
