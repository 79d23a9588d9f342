import { DatabaseError, type StoredRule } from "../db/mod.ts";
import { countRules } from "../firewall/mod.ts";
import { ConnectionGauge, type CounterName, describeError } from "../observe/mod.ts";
import type { WorkerStatus } from "../plane/mod.ts";
import type { RateLimit } from "../state/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import { type BackendStatus, worstFirst } from "./backend_status.ts";
import type { WaitingDnsChange } from "./dns_settlement.ts";
import type { LoadedGeoIp } from "./geoip.ts";
import type { RouteStatus, RunningTotals } from "./running_totals.ts";
import type { ServedState } from "./served_state.ts";
import type { StateSource } from "./state_source.ts";

/** What a listener does. */
export interface ListenerStatus {
  readonly addr: string;
  readonly routeCount: number;
  readonly active: number;
  /** Since the start, modulo 2^32. */
  readonly total: number;
  readonly proxyProtocol: boolean;
  readonly port: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A look at the whole proxy. Counters count from the start of the process. */
export interface Status {
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly listeners: readonly ListenerStatus[];
  readonly counters: Readonly<Record<CounterName, number>>;
  readonly workers: readonly WorkerStatus[];
  readonly firewall: FirewallStatus;
  readonly geoip: { readonly type: string; readonly builtAt: number } | undefined;
  /** Routes that have carried something. */
  readonly routes: readonly RouteStatus[];
  readonly databaseVersion: number;
  readonly source: StateSource;
  readonly revision: number;
  readonly active: number;
  /** Those that are looked after, the worst first. */
  readonly backends: readonly BackendStatus[];
  /** Answered requests by the class of their status, such as `2xx`. */
  readonly responses: ReadonlyMap<string, number>;
  /** Empty while everything is as it should be. */
  readonly problem: string;
  /** Changes of records that the name server has yet to confirm. */
  readonly dnsChanges: readonly WaitingDnsChange[];
}

/** The firewall in numbers. */
export interface FirewallStatus {
  readonly rulesByType: Readonly<Record<string, number>>;
  readonly hits: number;
  readonly topRules: readonly StoredRule[];
  readonly rateLimit: RateLimit;
  /** Whether it outlives what the configuration file says. */
  readonly isRateLimitStored: boolean;
  /** Rules that allow. */
  readonly allowing: number;
}

/** What {@link readStatus} looks at. */
export interface StatusContext {
  readonly state: ServedState;
  readonly totals: RunningTotals;
  readonly board: BackendBoard;
  readonly geoip: LoadedGeoIp | undefined;
  readonly rateLimit: RateLimit;
  readonly startedAt: number;
  readonly source: StateSource;
  readonly now: number;
  readonly dnsChanges: readonly WaitingDnsChange[];
}

/** How many rules {@link FirewallStatus.topRules} names. */
const TOP_RULES = 10;

/** Looks at the proxy, however its database is: that is when an operator asks. */
export async function readStatus(context: StatusContext): Promise<Status> {
  const { state, totals, board, geoip, rateLimit, startedAt, source, now, dnsChanges } = context;
  const routes = await totals.routes();
  const listeners = listenerStatuses(state, routes);
  const { workers, counters } = state.plane.status();
  const stored = readStored(state);
  return {
    startedAt,
    uptimeMs: Math.max(0, now - startedAt),
    source,
    listeners,
    counters,
    workers,
    routes,
    firewall: { ...firewallStatus(state, totals, stored), rateLimit },
    geoip: geoip &&
      { type: geoip.geoip.databaseType, builtAt: geoip.geoip.buildEpoch * 1000 },
    databaseVersion: stored.version,
    revision: state.revision,
    active: listeners.reduce((sum, { active }) => sum + active, 0),
    backends: worstFirst(board.status()),
    responses: responsesOf(state),
    problem: problemOf(state) || stored.problem,
    dnsChanges,
  };
}

/** What a status says that is in the database alone. */
interface Stored {
  readonly version: number;
  readonly isRateLimitStored: boolean;
  readonly hits: number;
  readonly topRules: readonly StoredRule[];
  /** Why nothing of it could be read; empty if it could. */
  readonly problem: string;
}

function readStored({ database }: ServedState): Stored {
  try {
    const { rules, settings, version } = database;
    return {
      version,
      isRateLimitStored: settings.rateLimit !== undefined && settings.source !== "file",
      hits: rules.hits,
      topRules: rules.top(TOP_RULES),
      problem: "",
    };
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const problem = describeError(error);
    return { version: 0, isRateLimitStored: false, hits: 0, topRules: [], problem };
  }
}

function responsesOf({ plane }: ServedState): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { counts } of plane.metrics().requests.values()) {
    for (const { status, count } of counts) sums.set(status, (sums.get(status) ?? 0) + count);
  }
  return sums;
}

/** What every listener does now. */
export function listenerStatuses(
  { snapshot }: ServedState,
  traffic: readonly RouteStatus[],
): ListenerStatus[] {
  const carried = new Map<string, { bytesIn: number; bytesOut: number }>();
  for (const { listener, bytesIn, bytesOut } of traffic) {
    const sum = carried.get(listener) ?? { bytesIn: 0, bytesOut: 0 };
    carried.set(listener, {
      bytesIn: sum.bytesIn + bytesIn,
      bytesOut: sum.bytesOut + bytesOut,
    });
  }
  return snapshot.listeners.map(({ addr, routes, gauge, proxyProtocol, port }) => {
    const { active, total } = new ConnectionGauge(gauge);
    const { bytesIn = 0, bytesOut = 0 } = carried.get(addr) ?? {};
    return {
      addr,
      routeCount: routes.length,
      active,
      total,
      proxyProtocol,
      port,
      bytesIn,
      bytesOut,
    };
  });
}

/** Why the proxy is not healthy; empty if it is. */
export function problemOf(state: ServedState): string {
  if (state.problem !== "") return state.problem;
  const { workers } = state.plane.status();
  const missing = workers.filter(({ state }) => state !== "serving");
  if (missing.length === 0) return "";
  const names = missing.map(({ index, state }) => `worker ${index} is ${state}`);
  return names.join(", ");
}

function firewallStatus(
  { snapshot }: ServedState,
  totals: RunningTotals,
  { isRateLimitStored, hits, topRules }: Stored,
): Omit<FirewallStatus, "rateLimit"> {
  const { rules: blocking } = snapshot.firewall;
  return {
    // Not by asking the database, which would count them one by one.
    rulesByType: Object.fromEntries(countRules(blocking)),
    allowing: blocking.allowed === undefined
      ? 0
      : countRules(blocking.allowed).values().reduce((sum, count) => sum + count, 0),
    isRateLimitStored,
    hits: hits + totals.unstoredHits,
    topRules: topRules.map((rule) => totals.withHits(rule)),
  };
}
