import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
  timestampMs,
} from "@bufbuild/protobuf/wkt";
import type {
  DesiredState,
  Difference,
  Explanation,
  ListenerInput,
  ListenerStatus,
  RouteInput,
  RouteStatus,
  RuleInput,
  Status,
} from "../control/mod.ts";
import type { AuditEntry, RateLimitSetting, StoredRule } from "../db/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ConnectionInfo } from "../server/mod.ts";
import type * as pb from "./gen/mod.ts";

type Init<S extends Parameters<typeof import("@bufbuild/protobuf").create>[0]> = MessageInitShape<
  S
>;

/** Milliseconds of a duration that may be absent. */
export function optionalMs(duration: Duration | undefined): number | undefined {
  return duration && durationMs(duration);
}

export function toListenerInput(listener: Omit<pb.Listener, "$typeName">): ListenerInput {
  const { addr, proxyProtocol, maxConnections, trustedProxies } = listener;
  return { addr, proxyProtocol, maxConnections, trustedProxies };
}

export function toRouteInput(route: Omit<pb.Route, "$typeName">): RouteInput {
  const { hostname, backend, mode, tlsCert, tlsKey, backendTls, sendProxyProtocol } = route;
  const { backendProtocol, backendTlsVerify, backendCa, backendServerName } = route;
  return {
    hostname,
    backend,
    mode,
    tlsCert,
    tlsKey,
    backendTls,
    sendProxyProtocol,
    backendProtocol,
    backendTlsVerify,
    backendCa,
    backendServerName,
  };
}

export function fromRoute(route: Route): Init<typeof pb.RouteSchema> {
  const { id: _, policies: __, ...fields } = route;
  const { backendProtocol = "auto", backendTlsVerify = false } = route;
  const { backendCa = "", backendServerName = "" } = route;
  return { ...fields, backendProtocol, backendTlsVerify, backendCa, backendServerName };
}

export function fromListener(
  listener: ListenerInput,
): Init<typeof pb.ListenerSchema> {
  const { addr, proxyProtocol, maxConnections, trustedProxies } = listener;
  return { addr, proxyProtocol, maxConnections, trustedProxies: [...trustedProxies] };
}

export function fromRule(rule: StoredRule): Init<typeof pb.FirewallRuleSchema> {
  const { id, type, value, reason, hits, expiresAt, createdAt } = rule;
  return {
    id: BigInt(id),
    type,
    value,
    reason,
    hits: BigInt(hits),
    ...expiresAt !== undefined && { expiresAt: timestampFromMs(expiresAt) },
    ...createdAt !== undefined && { createdAt: timestampFromMs(createdAt) },
  };
}

export function fromRateLimit(
  { limit, windowMs }: RateLimitSetting,
): Init<typeof pb.RateLimitSchema> {
  return windowMs === 0 ? { limit } : { limit, window: durationFromMs(windowMs) };
}

export function toRateLimit({ limit, window }: pb.RateLimit): RateLimitSetting {
  return { limit, windowMs: optionalMs(window) ?? 0 };
}

export function toDesiredState({ listeners, firewall, rateLimit }: pb.State): DesiredState {
  return {
    ...listeners && {
      listeners: listeners.listeners.map(({ listener, routes }) => ({
        listener: toListenerInput(listener ?? NO_LISTENER),
        routes: routes.map(({ route, policies }) => ({
          route: toRouteInput(route ?? NO_ROUTE),
          policies: policies.map(({ type, value }) => ({ type, value })),
        })),
      })),
    },
    ...firewall && { rules: firewall.rules.map(toRuleInput) },
    ...rateLimit && { rateLimit: toRateLimit(rateLimit) },
  };
}

/** What a message without the part means: every field is missing. */
const NO_LISTENER = { addr: "", proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
const NO_ROUTE = {
  hostname: "",
  backend: "",
  mode: "",
  tlsCert: "",
  tlsKey: "",
  backendTls: false,
  sendProxyProtocol: false,
  backendProtocol: "",
  backendTlsVerify: false,
  backendCa: "",
  backendServerName: "",
};

function toRuleInput({ type, value, reason, expiresAt }: pb.FirewallRule): RuleInput {
  return { type, value, reason, expiresAt: expiresAt && Math.trunc(timestampMs(expiresAt)) };
}

export function fromListenerStatus(status: ListenerStatus): Init<typeof pb.ListenerStatusSchema> {
  return {
    addr: status.addr,
    routeCount: status.routeCount,
    activeConnections: status.active,
    totalConnections: BigInt(status.total),
    proxyProtocol: status.proxyProtocol,
    boundPort: status.port,
    bytesIn: BigInt(status.bytesIn),
    bytesOut: BigInt(status.bytesOut),
  };
}

/** The part of a status that control knows, and what the server adds to it. */
export function fromStatus(
  status: Status,
  { version, problem }: { version: string; problem: string },
): Init<typeof pb.StatusSchema> {
  const { counters, firewall, geoip } = status;
  return {
    version,
    startedAt: timestampFromMs(status.startedAt),
    uptime: durationFromMs(status.uptimeMs),
    listeners: status.listeners.map(fromListenerStatus),
    counters: Object.fromEntries(Object.entries(counters).map(([k, v]) => [k, BigInt(v)])),
    firewall: {
      rulesByType: { ...firewall.rulesByType },
      hits: BigInt(firewall.hits),
      rateLimited: BigInt(counters.rate_limited),
      rateLimit: fromRateLimit(firewall.rateLimit),
      topRules: firewall.topRules.map(fromRule),
    },
    geoip: fromGeoIp(geoip),
    workers: status.workers.map(({ index, state, restarts }) => ({ index, state, restarts })),
    databaseVersion: status.databaseVersion,
    revision: BigInt(status.revision),
    activeConnections: status.active,
    healthy: problem === "",
    problem,
  };
}

export function fromGeoIp(geoip: Status["geoip"]): Init<typeof pb.GeoIPStatusSchema> {
  if (geoip === undefined) return { loaded: false };
  const { type, builtAt } = geoip;
  return { loaded: true, databaseType: type, buildTime: timestampFromMs(builtAt) };
}

export function fromTally(
  tally: RouteStatus,
): Init<typeof pb.RouteStatusSchema> {
  return {
    listenerAddr: tally.listener,
    hostname: tally.route,
    activeConnections: tally.active,
    totalConnections: BigInt(tally.connections),
    bytesIn: BigInt(tally.bytesIn),
    bytesOut: BigInt(tally.bytesOut),
  };
}

export function fromConnection(info: ConnectionInfo): Init<typeof pb.ConnectionSchema> {
  const { id, client, sni = "", route = "", mode = "", backend = "", identity = "", host = "" } =
    info;
  return {
    id,
    listenerAddr: info.listener,
    client,
    sni,
    route,
    mode,
    backend,
    identity,
    host,
    bytesIn: BigInt(info.bytesIn),
    bytesOut: BigInt(info.bytesOut),
    age: durationFromMs(info.ageMs),
  };
}

export function fromDifference({ edit, live }: Difference): Init<typeof pb.DifferenceSchema> {
  const { action, kind, subject, before, after } = edit;
  return {
    action,
    kind,
    subject,
    before: before === undefined ? "" : JSON.stringify(before),
    after: after === undefined ? "" : JSON.stringify(after),
    liveConnections: live,
  };
}

export function fromExplanation(found: Explanation): Init<typeof pb.ExplainResponseSchema> {
  const { verdict, outcome = "", rule, route, country = "", steps } = found;
  return {
    verdict,
    outcome,
    country,
    steps: [...steps],
    ...rule && { rule: fromRule(rule) },
    ...route && { route: fromRoute(route) },
  };
}

export function fromAuditEntry(entry: AuditEntry): Init<typeof pb.AuditEntrySchema> {
  const { id, time, ...rest } = entry;
  return { id: BigInt(id), time: timestampFromMs(time) satisfies Timestamp, ...rest };
}
