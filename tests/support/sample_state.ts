import {
  BACKEND,
  HEALTH,
  LISTENER,
  POLICY,
  ROUTE,
  ROUTE_PATH,
  RULE,
  type State,
} from "../../lib/state/mod.ts";
import { sampleOf } from "./state_samples.ts";

/**
 * A state in which every field of every record has a value of its own, so that a test can see each of
 * them arrive: a listener with a route, one that redirects, and a rule.
 */
export function sampleState(
  { cert, key, ports }: {
    readonly cert: string;
    readonly key: string;
    /** Of the two listeners. */
    readonly ports: readonly [number, number];
  },
): Required<State> {
  const policy = sampleOf(POLICY, { type: "block_user_agent", value: "bot" });
  const route = sampleOf(ROUTE, {
    hostname: "a.example",
    backend: "10.0.0.1:443",
    mode: "l7",
    tls_cert: cert,
    tls_key: key,
    backend_ca: cert,
    backend_server_name: "backend.example",
    description: "the shop; ask ops@example.net",
    allowed_ips: ["192.0.2.1", "2001:db8::1"],
    allowed_cidrs: ["198.51.100.0/24"],
    allowed_countries: ["NL", "SE"],
    backends: [
      sampleOf(BACKEND, { addr: "10.0.0.1:443" }),
      { addr: "[2001:db8::1]:443", weight: 2, backup: true, maxConnections: 5, state: "up" },
    ],
    health: sampleOf(HEALTH, { path: "/healthz?deep=1", status: "204" }),
    rate_limit: { connections: 7, requests: 100, perMs: 10_000 },
    response_headers: { set: ["x-frame-options: DENY", "link: </a>, </b>"], remove: ["server"] },
    request_headers: { set: ["x-tenant: a"], remove: ["cookie"] },
    hsts: "180d",
    error_pages: [{ status: 503, body: "<p>soon, really", contentType: "text/plain" }],
    paths: [
      sampleOf(ROUTE_PATH, {
        prefix: "/api",
        backend: "10.0.0.2:80",
        backends: [
          sampleOf(BACKEND, { addr: "10.0.0.2:80" }),
          { addr: "10.0.0.3:80", weight: 3, backup: true, state: "up" },
        ],
        health: sampleOf(HEALTH, { path: "/up", status: "200" }),
      }, { without: ["exact", "respond"] }),
      { exact: "/gone", respond: { status: 410, body: "gone", contentType: "text/html" } },
    ],
    basic_auth: {
      realm: "staff",
      forward: true,
      users: [{ name: "alice", hash: `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"B".repeat(43)}` }],
    },
    forward_auth: {
      url: "http://10.0.0.9:9091/verify",
      headers: ["remote-user", "remote-groups"],
      timeoutMs: 3000,
    },
    respond: { status: 200, body: "up\n", contentType: "text/html", retryAfterMs: 5000 },
    policies: [policy],
  });
  const listener = sampleOf(LISTENER, {
    addr: `127.0.0.1:${ports[0]}`,
    trusted_proxies: ["10.0.0.0/8", "::1"],
    routes: [route],
  }, { without: ["kind"] });
  const redirect = sampleOf(LISTENER, {
    addr: `127.0.0.1:${ports[1]}`,
    trusted_proxies: ["10.0.0.0/8"],
  }, { without: ["routes"] });
  const rule = sampleOf(RULE, {
    type: "cidr",
    value: "192.0.2.0/24",
    reason: "scans",
    expires_at: Date.UTC(2031, 0, 2, 3, 4, 5),
  });
  return {
    listeners: [listener, redirect],
    rules: [rule],
    rateLimit: { limit: 30_000, windowMs: 90_000 },
    records: [],
  };
}
