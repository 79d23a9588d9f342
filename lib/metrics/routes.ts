import { OTHER_ROUTES } from "../observe/mod.ts";
import type { RouteCount } from "../plane/mod.ts";
import type { BackendStatus } from "../control/mod.ts";
import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** Series of one family at most; what is beyond that many is added up. */
const MAX_SERIES = 1000;

/** What routes carry and how their backends serve, whatever the mode. */
export function addRouteMetrics(families: Families, source: MetricsSource): void {
  families.counter({
    name: "mc_proxy_route_connections_total",
    help: "Connections that took a route and have ended.",
    labels: ["listener", "route"],
  }, () => boundedRoutes(source).map((it) => [labelsOf(it), it.connections]));
  families.counter(
    {
      name: "mc_proxy_route_bytes_total",
      help:
        "Octets of the connections of a route so far, also of those that are open: in is from " +
        "clients, out is to them. Counted as in mc_proxy_bytes_total.",
      labels: ["listener", "route", "direction"],
    },
    () =>
      boundedRoutes(source).flatMap((it) =>
        [
          [{ ...labelsOf(it), direction: "in" }, it.bytesIn],
          [{ ...labelsOf(it), direction: "out" }, it.bytesOut],
        ] as const
      ),
  );
  families.counter(
    {
      name: "mc_proxy_backend_outcomes_total",
      help: "How backends have served: connections of l4 and mtls, requests of l7.",
      labels: ["listener", "route", "backend", "outcome"],
    },
    () =>
      boundedBackends(source).map(([{ listener, route, backend, outcome }, count]) =>
        [{ listener, route, backend, outcome }, count] as const
      ),
  );
}

/** How backends are of which the proxy knows: of routes with several, a limit or checks. */
export function addBackendMetrics(families: Families, { backendStates }: MetricsSource): void {
  const shown = () => backendStates().filter(({ isRemoved }) => !isRemoved).slice(0, MAX_SERIES);
  const labels = ["listener", "route", "path", "backend"] as const;
  // An empty label is none: that of a backend of the route itself.
  const named = ({ listener, route, path, backend }: BackendStatus) => {
    return { listener, route, path, backend: backend.addr };
  };
  families.gauge({
    name: "mc_proxy_backend_up",
    help: "Whether a backend is used: it is well, and the operator has not taken it out.",
    labels: [...labels],
  }, () => shown().map((it) => [named(it), Number(isUsed(it))]));
  families.gauge({
    name: "mc_proxy_backend_condition",
    help: "1 for the condition that a backend is in.",
    labels: [...labels, "condition"],
  }, () => shown().map((it) => [{ ...named(it), condition: it.condition }, 1]));
  families.gauge({
    name: "mc_proxy_backend_condition_since_seconds",
    help: "When a backend came into the condition that it is in, in seconds since 1970.",
    labels: [...labels],
  }, () => shown().map((it) => [named(it), it.since / 1000]));
  families.gauge({
    name: "mc_proxy_backend_open",
    help: "Connections of l4, requests of l7 that a backend has.",
    labels: [...labels],
  }, () => shown().map((it) => [named(it), it.open]));
}

function isUsed({ condition }: BackendStatus): boolean {
  return condition === "up" || condition === "starting";
}

function labelsOf({ listener, route }: RouteCount) {
  return { listener, route };
}

/** The first ones by age keep their series, so that none counts backwards. */
function boundedRoutes({ routes }: MetricsSource): RouteCount[] {
  const shown = new Map<string, RouteCount>();
  for (const counted of routes()) {
    const route = shown.size < MAX_SERIES ? counted.route : OTHER_ROUTES;
    const key = `${counted.listener} ${route}`;
    const before = shown.get(key);
    shown.set(key, {
      listener: counted.listener,
      route,
      connections: (before?.connections ?? 0) + counted.connections,
      bytesIn: (before?.bytesIn ?? 0) + counted.bytesIn,
      bytesOut: (before?.bytesOut ?? 0) + counted.bytesOut,
    });
  }
  return [...shown.values()];
}

interface BackendLabels {
  readonly listener: string;
  readonly route: string;
  readonly backend: string;
  readonly outcome: string;
}

function boundedBackends({ backends }: MetricsSource): (readonly [BackendLabels, number])[] {
  const shown = new Map<string, readonly [BackendLabels, number]>();
  for (const { count, listener, outcome, ...named } of backends()) {
    const isShown = shown.size < MAX_SERIES;
    const [route, backend] = isShown ? [named.route, named.backend] : [OTHER_ROUTES, OTHER_ROUTES];
    const key = `${listener} ${route} ${backend} ${outcome}`;
    const before = shown.get(key)?.[1] ?? 0;
    shown.set(key, [{ listener, route, backend, outcome }, before + count]);
  }
  return [...shown.values()];
}
