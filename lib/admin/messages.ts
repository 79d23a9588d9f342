import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
} from "@bufbuild/protobuf/wkt";
import {
  type Difference,
  type Explanation,
  type ListenerStatus,
  refuseProblems,
  type RouteStatus,
  type Status,
} from "../control/mod.ts";
import type { AuditEntry, StoredRule } from "../db/mod.ts";
import {
  fromMessage,
  rateLimitToMessage,
  ruleToMessage,
  stateFieldName,
  stateFromMessage,
  toMessage,
} from "../messages/mod.ts";
import type { ConnectionEvent } from "../observe/mod.ts";
import type { ConnectionInfo, WorkerStatus } from "../plane/mod.ts";
import { type KeyPath, type RecordKind, Report } from "../schema/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import { LISTENER, type ListenerSettings, ROUTE, type Route, type State } from "../state/mod.ts";
import { fromBackendStatus } from "./backend_messages.ts";
import * as pb from "./gen/mod.ts";

/** Backends that a status tells of one by one. */
const MAX_STATUS_BACKENDS = 1000;

type Init<S extends Parameters<typeof import("@bufbuild/protobuf").create>[0]> = MessageInitShape<
  S
>;

/** Milliseconds of a duration that may be absent. */
export function optionalMs(duration: Duration | undefined): number | undefined {
  return duration && durationMs(duration);
}

/**
 * The record that a message holds, in canonical form.
 *
 * @param at what the record is in the request; nothing for the request itself.
 * @throws {RefusedError} with everything that is wrong, under the names of the protocol.
 */
export function toRecord<T extends object, D extends DescMessage>(
  kind: RecordKind<T>,
  [desc, message]: readonly [D, Omit<MessageShape<D>, "$typeName"> | undefined],
  at: KeyPath = [],
): T {
  const report = new Report();
  const record = kind.check(fromMessage(kind.shape, desc, message) as T, { path: at, report });
  refuseProblems(report);
  return record;
}

/**
 * The state that a request wants.
 *
 * @throws {RefusedError}
 */
export async function toState(message: pb.State, signal: AbortSignal): Promise<State> {
  const { state, report } = await runInSlices(stateFromMessage(message), { signal });
  refuseProblems(report, stateFieldName);
  return state;
}

export function fromRoute(route: Route): Init<typeof pb.RouteSchema> {
  return toMessage(ROUTE.shape, pb.RouteSchema, route);
}

export function fromListener(listener: ListenerSettings): Init<typeof pb.ListenerSchema> {
  return toMessage(LISTENER.shape, pb.ListenerSchema, listener);
}

export function fromRule(rule: StoredRule): Init<typeof pb.FirewallRuleSchema> {
  const { id, hits, createdAt } = rule;
  return {
    ...ruleToMessage(rule),
    id: BigInt(id),
    hits: BigInt(hits),
    ...createdAt !== undefined && { createdAt: timestampFromMs(createdAt) },
  };
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
  { version, problem, warnings }: {
    version: string;
    problem: string;
    warnings: readonly string[];
  },
): Init<typeof pb.StatusSchema> {
  const { counters, firewall, geoip } = status;
  return {
    version,
    stateSource: status.source.kind,
    statePath: status.source.path,
    startedAt: timestampFromMs(status.startedAt),
    uptime: durationFromMs(status.uptimeMs),
    listeners: status.listeners.map(fromListenerStatus),
    counters: Object.fromEntries(Object.entries(counters).map(([k, v]) => [k, BigInt(v)])),
    firewall: {
      rulesByType: { ...firewall.rulesByType },
      hits: BigInt(firewall.hits),
      rateLimited: BigInt(counters.rate_limited),
      rateLimit: rateLimitToMessage(firewall.rateLimit),
      topRules: firewall.topRules.map(fromRule),
      allowRules: firewall.allowing,
      rateLimitSetAtRunTime: firewall.isRateLimitStored,
    },
    geoip: fromGeoIp(geoip),
    workers: status.workers.map(fromWorker),
    databaseVersion: status.databaseVersion,
    revision: BigInt(status.revision),
    activeConnections: status.active,
    healthy: problem === "",
    problem,
    warnings: [...warnings],
    backends: status.backends.slice(0, MAX_STATUS_BACKENDS).map(fromBackendStatus),
    totalBackends: status.backends.length,
    dnsChanges: status.dnsChanges.map(({ id, names, decidedAt, problem }) => {
      return { id, sets: [...names], decidedAt: timestampFromMs(decidedAt), problem };
    }),
    responses: Object.fromEntries(
      [...status.responses].map(([name, count]) => [name, BigInt(count)]),
    ),
  };
}

function fromWorker(worker: WorkerStatus): Init<typeof pb.WorkerStatusSchema> {
  const { index, state, restarts, lateMs, pendingChanges } = worker;
  return { index, state, restarts, pendingChanges, late: durationFromMs(lateMs) };
}

export function fromGeoIp(geoip: Status["geoip"]): Init<typeof pb.GeoIPStatusSchema> {
  if (geoip === undefined) return { loaded: false };
  const { type, builtAt } = geoip;
  return { loaded: true, databaseType: type, buildTime: timestampFromMs(builtAt) };
}

export function fromCount(
  counted: RouteStatus,
): Init<typeof pb.RouteStatusSchema> {
  return {
    listenerAddr: counted.listener,
    hostname: counted.route,
    activeConnections: counted.active,
    totalConnections: BigInt(counted.connections),
    bytesIn: BigInt(counted.bytesIn),
    bytesOut: BigInt(counted.bytesOut),
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

/** A connection that ends now. */
export function fromConnectionEvent(
  { outcome, reason = "", rule = "", durationMs, ...rest }: ConnectionEvent,
): Init<typeof pb.ConnectionEventSchema> {
  const connection = fromConnection({ ...rest, ageMs: durationMs });
  return { connection, outcome, reason, rule, time: timestampFromMs(Date.now()) };
}

export function fromDifference(
  { action, kind, subject, before, after }: Difference,
  liveConnections: number,
): Init<typeof pb.DifferenceSchema> {
  return {
    action,
    kind,
    subject,
    before: before === undefined ? "" : JSON.stringify(before),
    after: after === undefined ? "" : JSON.stringify(after),
    liveConnections,
  };
}

export function fromExplanation(found: Explanation): Init<typeof pb.ExplainResponseSchema> {
  const { verdict, outcome = "", rule, route, country = "", steps, allowedBy, retryAfterMs } =
    found;
  const { says } = found;
  const policies = route?.policies ?? [];
  return {
    verdict,
    outcome,
    country,
    steps: [...steps],
    policies: policies.map(({ type, value }) => ({ type, value })),
    ...rule && { rule: fromRule(rule) },
    ...allowedBy && { allowedBy: fromRule(allowedBy) },
    ...retryAfterMs !== undefined && { retryAfter: durationFromMs(retryAfterMs) },
    ...route && { route: fromRoute(route) },
    ...says && {
      ...{ proxy: says.proxy, revision: BigInt(says.revision) },
      lag: durationFromMs(Math.round(says.lagMs)),
    },
  };
}

export function fromAuditEntry(entry: AuditEntry): Init<typeof pb.AuditEntrySchema> {
  const { id, time, ...rest } = entry;
  return { id: BigInt(id), time: timestampFromMs(time) satisfies Timestamp, ...rest };
}
