import type { Route } from "../routes/mod.ts";
import { authTarget, pathRoute, type RoutePath } from "../state/mod.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** Of those whose certificates are checked against the system's authorities. */
export const NO_MATERIAL: TlsMaterial = { id: "", certPem: "", keyPem: "" };

const known = new WeakMap<Route, Route | undefined>();

/** The way to what a route asks whether requests may pass, as a route; the same one every time. */
export function authRoute(route: Route): Route | undefined {
  if (route.forwardAuth === undefined) return undefined;
  if (!known.has(route)) known.set(route, makeAuthRoute(route, route.forwardAuth.url));
  return known.get(route);
}

function makeAuthRoute({ id, hostname }: Route, url: string): Route | undefined {
  const target = authTarget(url);
  if (target === undefined) return undefined;
  const { backend, isTls } = target;
  return {
    id,
    hostname,
    mode: "l7",
    backend,
    tlsCert: "",
    tlsKey: "",
    backendTls: isTls,
    sendProxyProtocol: false,
    // Over TLS it is agreed on.
    backendProtocol: isTls ? "auto" : "http1",
    backendTlsVerify: isTls,
  };
}

const ways = new WeakMap<Route, Map<RoutePath, Route>>();

/** The way of requests that a path takes, as a route; the same one every time. */
export function pathWay(route: Route, path: RoutePath): Route {
  let ofRoute = ways.get(route);
  if (ofRoute === undefined) ways.set(route, ofRoute = new Map());
  let found = ofRoute.get(path);
  if (found === undefined) ofRoute.set(path, found = pathRoute(route, path));
  return found;
}

/** Every way but the route's own that its requests may go, with what checks the certificates there. */
export function* otherWays(
  route: Route,
  material: TlsMaterial,
): Generator<readonly [Route, TlsMaterial]> {
  const auth = authRoute(route);
  if (auth !== undefined) yield [auth, NO_MATERIAL];
  for (const path of route.paths ?? []) {
    if (path.backend !== undefined) yield [pathWay(route, path), material];
  }
}
