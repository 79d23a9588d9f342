import type { RouteRequests } from "../observe/mod.ts";
import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** What l7 routes do. The label `route` is a configured hostname, never a name a client sent. */
export function addRequestMetrics(families: Families, source: MetricsSource): void {
  const read = (): [string, RouteRequests][] => [...source.plane().requests];
  families.counter(
    {
      name: "mc_proxy_http_requests_total",
      help: "Requests of l7 routes, by class of status and protocol of the client's side.",
      labels: ["route", "status", "protocol"],
    },
    () =>
      read().flatMap(([route, { counts }]) =>
        counts.map(({ status, protocol, count }) => [{ route, status, protocol }, count] as const)
      ),
  );
  families.histogram({
    name: "mc_proxy_http_request_duration_seconds",
    help: "From the head of a request to the end of its answer.",
    labels: ["route"],
  }, () => read().map(([route, { duration }]) => [{ route }, duration] as const));
}
