import type { FirewallRule } from "../firewall/mod.ts";
import type {
  ConnectionEvent,
  ConnectionGauge,
  CountedMode,
  Counters,
  HistogramName,
} from "../observe/mod.ts";
import type { ConnectionInfo, RouteTally, TakenTallies } from "../plane/mod.ts";
import { type Connection, type Ending, formatSocketAddress } from "./connection_state.ts";

function routeFields({ sni, route, identity, host, backend = route?.backend }: Connection) {
  return {
    ...sni !== undefined && { sni },
    ...route !== undefined && { route: route.hostname, mode: route.mode },
    ...backend && { backend },
    ...identity !== undefined && { identity },
    ...host !== undefined && { host },
  };
}

function traffic({ carrier }: Connection): { bytesIn: number; bytesOut: number } {
  return { bytesIn: carrier?.bytesIn ?? 0, bytesOut: carrier?.bytesOut ?? 0 };
}

/** What the connection has carried, for its route. */
export function toTally(connection: Connection): Omit<RouteTally, "connections"> {
  return {
    listener: connection.listener.addr,
    route: connection.route?.hostname ?? "",
    ...traffic(connection),
  };
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
  const peer = formatSocketAddress(connection.peer);
  return {
    id: connection.id,
    listener: connection.listener.addr,
    peer,
    client: connection.client === connection.peer ? peer : formatSocketAddress(connection.client),
    ...routeFields(connection),
    ...ending.rule !== undefined && { rule: ending.rule },
    outcome: ending.outcome,
    ...ending.reason !== undefined && { reason: ending.reason },
    ...traffic(connection),
    durationMs: Math.round((now - connection.startedAt) * 10) / 10,
  };
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

/** Counts an ended connection everywhere it counts. */
export function countEnded(event: ConnectionEvent, account: Account): void {
  const { counters, gauge, worker, ruleType } = account;
  const { outcome, bytesIn, bytesOut } = event;
  const mode = event.mode ?? "none";
  counters.add(outcome);
  counters.add("bytes_in", bytesIn);
  counters.add("bytes_out", bytesOut);
  if (ruleType !== undefined) counters.add(`blocked_${ruleType}`);
  counters.observe(DURATION_OF[mode], event.durationMs / 1000);
  gauge.counts.record(worker, { mode, outcome, bytesIn, bytesOut });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Counts by rule and by route. Events would tell the same, but they are dropped when the control
 * plane does not keep up, which a flood of blocked connections is for; these counts grow with the
 * number of rules and routes that were met, not with the flood.
 */
export class Tallies {
  readonly #ruleHits = new Map<number, number>();
  readonly #routes = new Map<string, Mutable<RouteTally>>();

  /** A rule has blocked a connection. */
  countHit(ruleId: number): void {
    this.#ruleHits.set(ruleId, (this.#ruleHits.get(ruleId) ?? 0) + 1);
  }

  /** A connection that took a route has ended. */
  countEnd(end: Omit<RouteTally, "connections">): void {
    const key = `${end.listener} ${end.route}`;
    let tally = this.#routes.get(key);
    if (tally === undefined) {
      tally = { ...end, connections: 0, bytesIn: 0, bytesOut: 0 };
      this.#routes.set(key, tally);
    }
    tally.connections++;
    tally.bytesIn += end.bytesIn;
    tally.bytesOut += end.bytesOut;
  }

  /** The counts, which begin at zero again. */
  take(): Omit<TakenTallies, "hitters"> {
    const taken = { ruleHits: [...this.#ruleHits], routes: [...this.#routes.values()] };
    this.#ruleHits.clear();
    this.#routes.clear();
    return taken;
  }
}
