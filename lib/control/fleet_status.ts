import { type Condition, CONDITIONS } from "../balance/mod.ts";
import { ConnectionGauge } from "../observe/mod.ts";
import { AUTO_REASON } from "../state/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import { worstFirst } from "./backend_status.ts";
import type { ServedState } from "./served_state.ts";

/** So many backends that are not well are named. */
const MAX_SICK = 10;
/** What is long is cut: a status is bounded. */
const MAX_WORDS = 160;

/** What one proxy tells whoever asks about all of them. */
export interface FleetStatus {
  /** Connections. */
  readonly open: number;
  readonly accepted: number;
  readonly blocked: number;
  readonly rateLimited: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly listeners: number;
  readonly routes: number;
  readonly rules: number;
  /** Rules that were made because of what a client did. */
  readonly bans: number;
  /** How many are in which condition, of those that are looked after. */
  readonly backends: Readonly<Partial<Record<Condition, number>>>;
  /** The worst of them: route, backend, how it is and why. */
  readonly sick: readonly (readonly [string, string, string, string])[];
  /** Whether it takes no new connections. */
  readonly isDrained: boolean;
}

/** Looks at this proxy, cheaply: nobody is asked. */
export function readFleetStatus(
  { state, board }: { readonly state: ServedState; readonly board: BackendBoard },
): FleetStatus {
  const { snapshot: { listeners, isDrained = false }, database: { rules }, plane } = state;
  const { counters } = plane.status();
  const statuses = worstFirst(board.status());
  const backends: Partial<Record<Condition, number>> = {};
  for (const { condition } of statuses) backends[condition] = (backends[condition] ?? 0) + 1;
  const sick = statuses.filter(({ condition }) => condition === "failing" || condition === "out");
  return {
    open: openConnections(state),
    accepted: counters.accepted,
    blocked: counters.blocked,
    rateLimited: counters.rate_limited,
    bytesIn: counters.bytes_in,
    bytesOut: counters.bytes_out,
    listeners: listeners.length,
    routes: listeners.reduce((sum, { routes }) => sum + routes.length, 0),
    rules: rules.size,
    bans: rules.countReasons(AUTO_REASON),
    backends,
    sick: sick.slice(0, MAX_SICK).map(({ route, backend, condition, reason }) => {
      return [cut(route), cut(backend.addr), condition, cut(reason)] as const;
    }),
    isDrained,
  };
}

/** Connections that are open here, at all listeners. */
export function openConnections({ snapshot: { listeners } }: ServedState): number {
  return listeners.reduce((sum, { gauge }) => sum + new ConnectionGauge(gauge).active, 0);
}

/** A status as a member of the group has said it; what is missing is nothing. */
export function parseFleetStatus(text: string): FleetStatus | undefined {
  const given = parsed(text);
  if (given === undefined) return undefined;
  const number = (key: string) => Number.isSafeInteger(given[key]) ? Number(given[key]) : 0;
  const counts = Object(given.backends) as Record<string, unknown>;
  return {
    ...{ open: number("open"), accepted: number("accepted"), blocked: number("blocked") },
    ...{ rateLimited: number("rateLimited"), bytesIn: number("bytesIn") },
    ...{ bytesOut: number("bytesOut"), listeners: number("listeners"), routes: number("routes") },
    ...{ rules: number("rules"), bans: number("bans"), isDrained: given.isDrained === true },
    backends: Object.fromEntries(
      CONDITIONS.filter((it) => Number.isSafeInteger(counts[it])).map((it) => [it, counts[it]]),
    ),
    sick: (Array.isArray(given.sick) ? given.sick : []).slice(0, MAX_SICK)
      .filter((it) => Array.isArray(it) && it.length === 4)
      .map((it: unknown[]) => it.map(String) as [string, string, string, string]),
  };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

function cut(text: string): string {
  return text.length > MAX_WORDS ? `${text.slice(0, MAX_WORDS - 1)}…` : text;
}
