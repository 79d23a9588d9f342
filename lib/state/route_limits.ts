import { MAX_RATE_LIMIT } from "../firewall/mod.ts";
import { duration, field, integer, type Place, record, size, type ValueOf } from "../schema/mod.ts";
import { MAX_CONNECTIONS } from "./limits.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** What the protocol's numbers can say. */
const MAX_SIZE = 4095 * 1024 * 1024;

/** What each client may do on one route in a time. */
export const ROUTE_RATE = record({
  connections: field("connections", integer({ min: 0, max: MAX_RATE_LIMIT }), {
    optional: true,
    absent: 0,
    doc: "Connections that one client may begin; more are reset.",
  }),
  requests: field("requests", integer({ min: 0, max: MAX_RATE_LIMIT }), {
    optional: true,
    absent: 0,
    doc: "Requests of one client to an `l7` route; more are answered 429 with `Retry-After`.",
  }),
  perMs: field("per", duration({ min: 100, max: 24 * HOUR }), {
    required: true,
    doc: "In this time.",
  }),
}, { rule: checkRate });

/** What each client may do on one route in a time. */
export type RouteRate = ValueOf<typeof ROUTE_RATE>;

function checkRate(
  { connections = 0, requests = 0 }: { readonly connections?: number; readonly requests?: number },
  { path, report }: Place,
): undefined {
  const isRefused = ["connections", "requests"].some((key) => report.hasProblem([...path, key]));
  if (connections > 0 || requests > 0 || isRefused) return;
  report.problem(path, "limits nothing: give connections or requests");
}

/** The fields of a route that are about how much of it one may have. */
export const ROUTE_LIMITS = {
  rate: field("rate_limit", ROUTE_RATE, {
    optional: true,
    since: 18,
    doc: "What each client (an IPv4 address, an IPv6 /64) may do on this route, beside the " +
      "firewall's limit. One count for all workers, in 128 KiB.",
    flag: { value: "key=value,…", about: "of each client, such as requests=100,per=10s" },
  }),
  maxConnections: field("max_connections", integer({ min: 0, max: MAX_CONNECTIONS }), {
    optional: true,
    absent: 0,
    since: 18,
    doc: "Connections of clients that the route has open at one time, over all workers; more are " +
      "reset. 0: no limit but the listener's.",
    flag: { value: "n", about: "connections at one time; 0: no limit" },
  }),
  idleTimeoutMs: field("idle_timeout", duration({ min: 100, max: 24 * HOUR }), {
    optional: true,
    since: 18,
    doc: "Instead of `proxy.idle_timeout`: after so long without an octet in either direction a " +
      "relayed connection is cut, and an `l7` request is answered 504 or broken off.",
    flag: { value: "duration", about: "instead of the proxy's idle_timeout" },
  }),
  connectTimeoutMs: field("connect_timeout", duration({ min: 10, max: 5 * MINUTE }), {
    optional: true,
    since: 21,
    doc: "Instead of `proxy.connect_timeout`: how long connecting to a backend may take, however " +
      "many are tried; of `l7` with TLS and the first words of HTTP.",
    flag: { value: "duration", about: "instead of the proxy's connect_timeout" },
  }),
  maxRequestBody: field("max_request_body", size({ min: 1, max: MAX_SIZE }), {
    optional: true,
    since: 18,
    modes: ["l7"],
    doc: "The content that a request may have; more is answered 413, whether it was declared or " +
      "comes. Tunnels have no content.",
    flag: { value: "size", about: "content that a request may have" },
  }),
} as const;
