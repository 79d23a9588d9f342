import {
  type Column,
  cut,
  formatBytes,
  formatCount,
  formatDuration,
  plain,
  renderTable,
} from "../terminal/mod.ts";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { RouteStatus, Status, WatchStatusResponse } from "../client/mod.ts";

/** The size of a terminal in characters. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One look and the one before it, from which rates are taken. */
export interface TopView {
  readonly now: WatchStatusResponse;
  readonly before: WatchStatusResponse | undefined;
}

/** What changes per second in a row. */
interface Rated<T> {
  readonly now: T;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Lines that are there whatever the size: headings, gaps and the head. */
const FIXED_LINES = 9;
/** Narrower terminals get this view, cut off. */
const MIN_COLUMNS = 20;

/**
 * The screen of `mcproxyctl top`: never more lines than the terminal has, never longer ones. Pure.
 */
export function renderTop(view: TopView, size: Size): string[] {
  const { status } = view.now;
  if (status === undefined) return ["waiting for the proxy"];
  const seconds = secondsBetween(view.before?.status, status);
  const listeners = ratedListeners(view, seconds);
  const routes = ratedRoutes(view, seconds);
  const rules = status.firewall?.topRules ?? [];
  const [listenerRows, routeRows, ruleRows] = share(
    Math.max(3, size.rows - FIXED_LINES),
    [listeners.length, Math.max(1, routes.length), Math.max(1, rules.length)],
  );
  const lines = [
    ...head(status, view.before?.status, seconds),
    "",
    ...limited(listeners, listenerRows, LISTENER_COLUMNS),
    "",
    ...limited(routes, routeRows, ROUTE_COLUMNS),
    "",
    ...limited(ratedRules(view, seconds), ruleRows, RULE_COLUMNS),
  ];
  const width = Math.max(MIN_COLUMNS, size.columns);
  return lines.slice(0, size.rows).map((line) => cut(plain(line), width));
}

function head(status: Status, before: Status | undefined, seconds: number): string[] {
  const { counters, workers } = status;
  const rate = (name: string) => perSecond(counters[name], before?.counters[name], seconds);
  const uptime = status.uptime === undefined ? 0 : durationMs(status.uptime);
  const serving = workers.filter(({ state }) => state === "serving").length;
  const restarts = workers.reduce((sum, { restarts }) => sum + restarts, 0);
  const health = status.healthy ? "healthy" : `NOT HEALTHY: ${status.problem}`;
  return [
    `mc-proxy ${status.version}  up ${formatDuration(uptime)}  ${health}`,
    `connections ${formatCount(status.activeConnections)} open  ${
      formatCount(rate("accepted"))
    }/s new   traffic ${formatBytes(rate("bytes_in"))}/s in  ${
      formatBytes(rate("bytes_out"))
    }/s out`,
    `workers ${serving}/${workers.length} serving, ${restarts} restarts   refused/s: ${
      formatCount(rate("blocked"))
    } rules, ${formatCount(rate("rate_limited"))} rate, ${
      formatCount(rate("no_route") + rate("no_server_name") + rate("hello_invalid"))
    } name`,
  ];
}

type RatedListener = Rated<Status["listeners"][number]>;
type RatedRule = { type: string; value: string; hits: bigint; rate: number; reason: string };

function rateColumns<T>(): Column<Rated<T>>[] {
  return [
    { title: " NEW/S", value: ({ connections }) => formatCount(connections), right: true },
    { title: "   IN/S", value: ({ bytesIn }) => formatBytes(bytesIn), right: true },
    { title: "  OUT/S", value: ({ bytesOut }) => formatBytes(bytesOut), right: true },
  ];
}

const NAME_WIDTH = 34;

const LISTENER_COLUMNS: readonly Column<RatedListener>[] = [
  { title: "LISTENER".padEnd(NAME_WIDTH), value: ({ now }) => cut(now.addr, NAME_WIDTH) },
  { title: " OPEN", value: ({ now }) => formatCount(now.activeConnections), right: true },
  ...rateColumns<RatedListener["now"]>(),
];

const ROUTE_COLUMNS: readonly Column<Rated<RouteStatus>>[] = [
  { title: "ROUTE".padEnd(NAME_WIDTH), value: ({ now }) => cut(now.hostname, NAME_WIDTH) },
  { title: " OPEN", value: ({ now }) => formatCount(now.activeConnections), right: true },
  ...rateColumns<RouteStatus>(),
];

const RULE_COLUMNS: readonly Column<RatedRule>[] = [
  {
    title: "BLOCKED BY".padEnd(NAME_WIDTH),
    value: ({ type, value }) => cut(`${type} ${value}`, NAME_WIDTH),
  },
  { title: " HITS", value: ({ hits }) => formatCount(hits), right: true },
  { title: " NEW/S", value: ({ rate }) => formatCount(rate), right: true },
  { title: "REASON", value: ({ reason }) => reason },
];

function ratedListeners({ now, before }: TopView, seconds: number): RatedListener[] {
  const old = new Map(before?.status?.listeners.map((listener) => [listener.addr, listener]));
  return (now.status?.listeners ?? []).map((listener) => {
    const was = old.get(listener.addr);
    return rated(listener, was, seconds, before !== undefined);
  });
}

function ratedRoutes({ now, before }: TopView, seconds: number): Rated<RouteStatus>[] {
  const key = ({ listenerAddr, hostname }: RouteStatus) => `${listenerAddr} ${hostname}`;
  const old = new Map(before?.routes.map((route) => [key(route), route]));
  return now.routes
    .map((route) => rated(route, old.get(key(route)), seconds, before !== undefined))
    .sort((a, b) =>
      b.bytesIn + b.bytesOut - a.bytesIn - a.bytesOut ||
      b.now.activeConnections - a.now.activeConnections
    );
}

function ratedRules({ now, before }: TopView, seconds: number): RatedRule[] {
  const old = new Map(before?.status?.firewall?.topRules.map(({ id, hits }) => [id, hits]));
  return (now.status?.firewall?.topRules ?? []).map(({ id, type, value, hits, reason }) => {
    return { type, value, hits, reason, rate: perSecond(hits, old.get(id), seconds) };
  });
}

function rated<T extends { totalConnections: bigint; bytesIn: bigint; bytesOut: bigint }>(
  now: T,
  before: T | undefined,
  seconds: number,
  hasBefore: boolean,
): Rated<T> {
  // A row that was not among the busiest before has no rate yet.
  const was = before ?? (hasBefore ? now : undefined);
  return {
    now,
    connections: perSecond(now.totalConnections, was?.totalConnections, seconds),
    bytesIn: perSecond(now.bytesIn, was?.bytesIn, seconds),
    bytesOut: perSecond(now.bytesOut, was?.bytesOut, seconds),
  };
}

/** Never negative: a worker that was replaced counts from zero. */
function perSecond(now: bigint | undefined, before: bigint | undefined, seconds: number): number {
  if (now === undefined || before === undefined || seconds <= 0) return 0;
  return Math.max(0, Number(now - before)) / seconds;
}

function secondsBetween(before: Status | undefined, now: Status): number {
  if (before?.uptime === undefined || now.uptime === undefined) return 0;
  return (durationMs(now.uptime) - durationMs(before.uptime)) / 1000;
}

/** A heading and as many rows as there is room for; the last line says how many are left out. */
function limited<T>(rows: readonly T[], room: number, columns: readonly Column<T>[]): string[] {
  if (rows.length === 0) return [...renderTable([], columns), "  none"];
  if (rows.length <= room) return renderTable(rows, columns);
  const shown = rows.slice(0, room - 1);
  return [...renderTable(shown, columns), `  and ${rows.length - shown.length} more`];
}

/** Shares lines out: each part gets what it needs while there is enough, else its even part. */
function share(room: number, needs: readonly [number, number, number]): [number, number, number] {
  const given: [number, number, number] = [0, 0, 0];
  for (let left = room; left > 0; left--) {
    const wanting = [0, 1, 2].filter((i) => (given[i] ?? 0) < (needs[i] ?? 0));
    const poorest = wanting.sort((a, b) => (given[a] ?? 0) - (given[b] ?? 0))[0];
    if (poorest === undefined) break;
    given[poorest] = (given[poorest] ?? 0) + 1;
  }
  return given;
}
