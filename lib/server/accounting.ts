import type { FirewallRule } from "../firewall/mod.ts";
import {
  BACKEND_OUTCOMES,
  type BackendOutcome,
  type ConnectionEvent,
  type ConnectionGauge,
  type CountedMode,
  type Counters,
  type HistogramName,
  type OutcomeName,
} from "../observe/mod.ts";
import type { BackendCount, ConnectionInfo, RouteCount, TakenCounts } from "../plane/mod.ts";
import {
  type Connection,
  type Ending,
  formatSocketAddress,
  type Traffic,
} from "./connection_state.ts";

function routeFields({ sni, route, identity, host, backend = route?.backend }: Connection) {
  return {
    ...sni !== undefined && { sni },
    ...route !== undefined && { route: route.hostname, mode: route.mode },
    ...backend && { backend },
    ...identity !== undefined && { identity },
    ...host !== undefined && { host },
  };
}

function traffic({ carrier }: Connection): Traffic {
  return { bytesIn: carrier?.bytesIn ?? 0, bytesOut: carrier?.bytesOut ?? 0 };
}

/** What the connection has carried since this was asked before, so that it counts while it lasts. */
export function takeTraffic(connection: Connection): Traffic {
  const { taken } = connection;
  const now = connection.taken = traffic(connection);
  return { bytesIn: now.bytesIn - taken.bytesIn, bytesOut: now.bytesOut - taken.bytesOut };
}

/** Which route a connection counts for. */
export function routeOf({ listener, route }: Connection): Pick<RouteCount, "listener" | "route"> {
  return { listener: listener.addr, route: route?.hostname ?? "" };
}

/** The connection as an operator sees it while it lasts. */
export function toInfo(connection: Connection, now: number): ConnectionInfo {
  return {
    id: connection.id,
    listener: connection.listener.addr,
    client: formatSocketAddress(connection.client),
    ...routeFields(connection),
    ...traffic(connection),
    ageMs: Math.round(now - connection.startedAt),
  };
}

/** The connection as it is logged and counted when it has ended. */
export function toEvent(connection: Connection, ending: Ending, now: number): ConnectionEvent {
  const { sni, route, identity, host, backend = route?.backend } = connection;
  const peer = formatSocketAddress(connection.peer);
  const event: Mutable<ConnectionEvent> = {
    id: connection.id,
    listener: connection.listener.addr,
    peer,
    client: connection.client === connection.peer ? peer : formatSocketAddress(connection.client),
    outcome: ending.outcome,
    bytesIn: connection.carrier?.bytesIn ?? 0,
    bytesOut: connection.carrier?.bytesOut ?? 0,
    durationMs: Math.round((now - connection.startedAt) * 10) / 10,
  };
  // One by one: there is one event for each connection, and spreading parts into it costs as much
  // again as sending it.
  if (sni !== undefined) event.sni = sni;
  if (route !== undefined) {
    event.route = route.hostname;
    event.mode = route.mode;
  }
  if (backend) event.backend = backend;
  if (identity !== undefined) event.identity = identity;
  if (host !== undefined) event.host = host;
  if (ending.rule !== undefined) event.rule = ending.rule;
  if (ending.reason !== undefined) event.reason = ending.reason;
  return event;
}

/** Where an ended connection is counted. */
export interface Account {
  readonly counters: Counters;
  /** Of the connection's listener. */
  readonly gauge: ConnectionGauge;
  readonly worker: number;
  /** The type of the firewall rule behind a block. */
  readonly ruleType?: FirewallRule["type"] | undefined;
}

const DURATION_OF: Readonly<Record<CountedMode, HistogramName>> = {
  none: "connection_none",
  l4: "connection_l4",
  l7: "connection_l7",
  mtls: "connection_mtls",
};

/** What is counted of a connection that has ended, beside its octets. */
export type Ended = Pick<ConnectionEvent, "mode" | "outcome" | "durationMs">;

/** Counts an ended connection everywhere it counts, with the octets that were not counted yet. */
export function countEnded(
  ended: Ended,
  { bytesIn, bytesOut }: Traffic,
  account: Account,
): void {
  const { counters, gauge, worker, ruleType } = account;
  const { outcome, durationMs } = ended;
  const mode = ended.mode ?? "none";
  counters.add(outcome);
  counters.add("bytes_in", bytesIn);
  counters.add("bytes_out", bytesOut);
  if (ruleType !== undefined) counters.add(`blocked_${ruleType}`);
  counters.observe(DURATION_OF[mode], durationMs / 1000);
  gauge.counts.record(worker, { mode, outcome, bytesIn, bytesOut });
}

/** Counts octets of a connection that goes on. */
export function countTraffic(
  { route }: Connection,
  { bytesIn, bytesOut }: Traffic,
  { counters, gauge, worker }: Account,
): void {
  counters.add("bytes_in", bytesIn);
  counters.add("bytes_out", bytesOut);
  gauge.counts.addBytes(worker, { mode: route?.mode ?? "none", bytesIn, bytesOut });
}

const BACKEND_FAILURES: ReadonlySet<string> = new Set(BACKEND_OUTCOMES);

/** How the backend of an l4 or mtls connection served; nothing if it was not asked. */
export function backendOutcome(
  { carrier, route }: Connection,
  outcome: OutcomeName,
): BackendOutcome | undefined {
  // Of l7 each request counts.
  if (route === undefined || route.mode === "l7") return undefined;
  if (BACKEND_FAILURES.has(outcome)) return outcome as BackendOutcome;
  return carrier === undefined ? undefined : "ok";
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Counts by rule and by route. Events would tell the same, but they are dropped when the control
 * plane does not keep up, which a flood of blocked connections is for; these counts grow with the
 * number of rules and routes that were met, not with the flood.
 */
export class ServedCounts {
  readonly #ruleHits = new Map<number, number>();
  /** By listener and route. */
  readonly #routes = new Map<string, Map<string, CountsOfRoute>>();

  /** A rule has blocked a connection. */
  countHit(ruleId: number): void {
    this.#ruleHits.set(ruleId, (this.#ruleHits.get(ruleId) ?? 0) + 1);
  }

  /** A connection that took a route has ended. */
  countEnd(route: Pick<RouteCount, "listener" | "route">): void {
    this.#countsOf(route).connections++;
  }

  /** A connection that took a route has carried something. */
  countTraffic(
    route: Pick<RouteCount, "listener" | "route">,
    { bytesIn, bytesOut }: Traffic,
  ): void {
    if (bytesIn === 0 && bytesOut === 0) return;
    const counts = this.#countsOf(route);
    counts.bytesIn += bytesIn;
    counts.bytesOut += bytesOut;
  }

  /** A backend has served, or failed to. */
  countBackend(served: Omit<BackendCount, "count">): void {
    const { backends } = this.#countsOf(served);
    const outcomes = valueOf(backends, served.backend, () => new Map());
    const counted = valueOf(outcomes, served.outcome, () => ({ ...served, count: 0 }));
    counted.count++;
  }

  /** The counts, which begin at zero again. */
  take(): Omit<TakenCounts, "hitters"> {
    const all = [...this.#routes.values()].flatMap((routes) => [...routes.values()]);
    const taken = {
      ruleHits: [...this.#ruleHits],
      routes: all.filter(hasCounted).map(({ backends: _, ...counted }) => counted),
      backends: all.flatMap(({ backends }) =>
        [...backends.values()].flatMap((outcomes) => [...outcomes.values()])
      ),
    };
    this.#ruleHits.clear();
    this.#routes.clear();
    return taken;
  }

  #countsOf({ listener, route }: Pick<RouteCount, "listener" | "route">): CountsOfRoute {
    const routes = valueOf(this.#routes, listener, () => new Map<string, CountsOfRoute>());
    return valueOf(routes, route, () => ({
      listener,
      route,
      connections: 0,
      bytesIn: 0,
      bytesOut: 0,
      backends: new Map(),
    }));
  }
}

/** What is counted of one route. */
interface CountsOfRoute extends Mutable<RouteCount> {
  /** By backend and outcome. */
  readonly backends: Map<string, Map<BackendOutcome, Mutable<BackendCount>>>;
}

/** Whether more than a backend was counted. */
function hasCounted({ connections, bytesIn, bytesOut }: RouteCount): boolean {
  return connections > 0 || bytesIn > 0 || bytesOut > 0;
}

/** Maps in maps, because putting their keys together costs more than looking up both. */
function valueOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
