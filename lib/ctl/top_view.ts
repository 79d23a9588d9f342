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
import type { Hitter } from "../admin/gen/mod.ts";
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

/** What the keys have chosen. */
export interface TopChoice {
  /** What clients are ordered by. */
  readonly clientsBy: "connections" | "refused" | "bytes";
  readonly routesBy: keyof typeof ROUTE_ORDERS;
  /** Only rows whose name contains it. */
  readonly filter: string;
  /** Whether the filter is being typed. */
  readonly isTyping: boolean;
}

/** What {@link renderTop} shows at first. */
export const FIRST_CHOICE: TopChoice = {
  clientsBy: "connections",
  routesBy: "traffic",
  filter: "",
  isTyping: false,
};

/** Lines that are there whatever the size: the head and the keys. */
const HEAD_LINES = 5;
/** Narrower terminals get this view, cut off. */
const MIN_COLUMNS = 20;
/** With fewer lines there are no gaps, and no panels without rows. */
const TALL_ROWS = 20;
/** Outcomes that say something about backends. */
const BACKEND_ERRORS = ["backend_unreachable", "backend_timeout", "backend_reset"];
/** Counters that are no outcomes. */
const TOTALS: ReadonlySet<string> = new Set([
  "accepted",
  "bytes_in",
  "bytes_out",
  "events_dropped",
  "blocked_ip",
  "blocked_cidr",
  "blocked_country",
]);

/** A titled list that shares the screen with others. */
interface Panel {
  readonly rows: number;
  readonly lines: (room: number) => string[];
}

/**
 * The screen of `mcproxyctl top`: never more lines than the terminal has, never longer ones. Pure.
 *
 * @param note Said instead of the keys, such as that the proxy is gone.
 */
export function renderTop(
  view: TopView,
  size: Size,
  { choice = FIRST_CHOICE, note }: { readonly choice?: TopChoice; readonly note?: string } = {},
): string[] {
  const { status } = view.now;
  if (status === undefined) return ["waiting for the proxy"];
  const seconds = secondsBetween(view.before?.status, status);
  const isTall = size.rows >= TALL_ROWS;
  const all = panelsOf(view, seconds, { choice, columns: size.columns });
  const panels = isTall ? all : all.filter(({ rows }) => rows > 0);
  const gap = isTall ? 1 : 0;
  const room = size.rows - (isTall ? HEAD_LINES : HEAD_LINES - 1) - panels.length * (1 + gap);
  const given = share(Math.max(panels.length, room), panels.map(({ rows }) => Math.max(1, rows)));
  const facts = head(status, view.before?.status, seconds);
  const lines = [
    // What is wrong with workers is in the first line too.
    ...isTall ? facts : facts.toSpliced(2, 1),
    ...panels.flatMap(({ lines }, i) => [...gap === 1 ? [""] : [], ...lines(given[i] ?? 1)]),
  ].slice(0, Math.max(0, size.rows - 1));
  const width = Math.max(MIN_COLUMNS, size.columns);
  return [...lines, note ?? keyLine(choice)].map((line) => cut(plain(line), width));
}

function panelsOf(
  view: TopView,
  seconds: number,
  { choice, columns }: { readonly choice: TopChoice; readonly columns: number },
): Panel[] {
  const { filter } = choice;
  const width = Math.min(NAME_WIDTH, Math.max(12, columns - OTHER_COLUMNS));
  const has = (...names: string[]) => names.some((name) => name.includes(filter));
  const listeners = ratedListeners(view, seconds).filter(({ now }) => has(now.addr));
  const isOnSeveral = listeners.length > 1;
  const routes = ratedRoutes(view, seconds, choice.routesBy)
    .filter(({ now }) => has(now.hostname, now.listenerAddr));
  const clients = view.now.clients.filter(({ key, country }) => has(key, country));
  const rules = ratedRules(view, seconds).filter(({ value, reason }) => has(value, reason));
  const panel = <T>(rows: readonly T[], columns: readonly Column<T>[]): Panel => {
    return { rows: rows.length, lines: (room) => limited(rows, room, columns) };
  };
  return [
    panel(listeners, listenerColumns(width)),
    panel(routes, routeColumns(width, isOnSeveral)),
    panel(clients, clientColumns(width)),
    panel(rules, ruleColumns(width)),
  ];
}

function keyLine({ clientsBy, routesBy, filter, isTyping }: TopChoice): string {
  if (isTyping) return `filter: ${filter}_  (Enter keeps it, Esc clears it)`;
  const shown = filter === "" ? "" : `: ${filter}`;
  return `q quit  c r b clients by ${clientsBy}  s routes by ${routesBy}  / filter${shown}`;
}

function head(status: Status, before: Status | undefined, seconds: number): string[] {
  const { counters, workers } = status;
  const rate = (name: string) => perSecond(counters[name], before?.counters[name], seconds);
  const uptime = status.uptime === undefined ? 0 : durationMs(status.uptime);
  const serving = workers.filter(({ state }) => state === "serving").length;
  const restarts = workers.reduce((sum, { restarts }) => sum + restarts, 0);
  const health = status.healthy ? "healthy" : `NOT HEALTHY: ${status.problem}`;
  const backends = BACKEND_ERRORS.reduce((sum, name) => sum + rate(name), 0);
  return [
    `mc-proxy ${status.version}  up ${formatDuration(uptime)}  ${health}`,
    `connections ${formatCount(status.activeConnections)} open  ${
      formatCount(rate("accepted"))
    }/s new   traffic ${formatBytes(rate("bytes_in"))}/s in  ${
      formatBytes(rate("bytes_out"))
    }/s out`,
    `workers ${serving}/${workers.length} serving, ${restarts} restarts   backend errors ${
      formatCount(backends)
    }/s   ${responseWords(status, before, seconds)} /s`,
    `ended/s ${outcomeWords(status, rate)}`,
  ];
}

/** What went wrong by class; the rest is of no interest while it happens. */
function responseWords(status: Status, before: Status | undefined, seconds: number): string {
  return ["2xx", "4xx", "5xx"].map((name) => {
    const now = status.responses[name] ?? 0n;
    return `${name} ${formatCount(perSecond(now, before?.responses[name] ?? 0n, seconds))}`;
  }).join(" ");
}

/** The outcomes of the moment, the most first. */
function outcomeWords({ counters }: Status, rate: (name: string) => number): string {
  const rated = Object.keys(counters).filter((name) => !TOTALS.has(name))
    .map((name) => [name, rate(name)] as const)
    .filter(([, rate]) => rate > 0)
    .sort(([, a], [, b]) => b - a);
  if (rated.length === 0) return "none";
  return rated.map(([name, rate]) => `${name} ${formatCount(rate)}`).join(", ");
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
/** What the other columns of the widest table take. */
const OTHER_COLUMNS = 40;

function nameColumn<T>(title: string, width: number, value: (row: T) => string): Column<T> {
  return { title: title.padEnd(width), value: (row) => cut(value(row), width) };
}

function listenerColumns(width: number): readonly Column<RatedListener>[] {
  return [
    nameColumn("LISTENER", width, ({ now }) => now.addr),
    { title: " OPEN", value: ({ now }) => formatCount(now.activeConnections), right: true },
    ...rateColumns<RatedListener["now"]>(),
  ];
}

function routeColumns(width: number, isOnSeveral: boolean): readonly Column<Rated<RouteStatus>>[] {
  return [
    nameColumn("ROUTE", width, ({ now }) => now.hostname),
    { title: " OPEN", value: ({ now }) => formatCount(now.activeConnections), right: true },
    ...rateColumns<RouteStatus>(),
    ...isOnSeveral
      ? [{ title: "LISTENER", value: ({ now }: Rated<RouteStatus>) => now.listenerAddr }]
      : [],
  ];
}

/** Of the last minute, not of the moment: who comes once a second is as heavy as who comes at once. */
function clientColumns(width: number): readonly Column<Hitter>[] {
  return [
    nameColumn("CLIENT (1m)", width, ({ key }) => key),
    { title: " CONN", value: ({ connections }) => formatCount(connections), right: true },
    { title: " REFUSED", value: ({ refused }) => formatCount(refused), right: true },
    { title: "  BYTES", value: ({ bytes }) => formatBytes(bytes), right: true },
    { title: "FROM", value: ({ country }) => country },
  ];
}

function ruleColumns(width: number): readonly Column<RatedRule>[] {
  return [
    nameColumn("BLOCKED BY", width, ({ type, value }) => `${type} ${value}`),
    { title: " HITS", value: ({ hits }) => formatCount(hits), right: true },
    { title: " NEW/S", value: ({ rate }) => formatCount(rate), right: true },
    { title: "REASON", value: ({ reason }) => reason },
  ];
}

/** What routes can be ordered by; open connections decide between equals. */
const ROUTE_ORDERS = {
  traffic: ({ bytesIn, bytesOut }: Rated<RouteStatus>) => bytesIn + bytesOut,
  open: ({ now }: Rated<RouteStatus>) => now.activeConnections,
  new: ({ connections }: Rated<RouteStatus>) => connections,
} as const;

/** The orders of routes, one after the other. */
export function nextRouteOrder(order: TopChoice["routesBy"]): TopChoice["routesBy"] {
  const orders = Object.keys(ROUTE_ORDERS) as TopChoice["routesBy"][];
  return orders[(orders.indexOf(order) + 1) % orders.length] ?? order;
}

function ratedListeners({ now, before }: TopView, seconds: number): RatedListener[] {
  const old = new Map(before?.status?.listeners.map((listener) => [listener.addr, listener]));
  return (now.status?.listeners ?? []).map((listener) => {
    const was = old.get(listener.addr);
    return rated(listener, was, seconds, before !== undefined);
  });
}

function ratedRoutes(
  { now, before }: TopView,
  seconds: number,
  by: TopChoice["routesBy"],
): Rated<RouteStatus>[] {
  const order = ROUTE_ORDERS[by];
  const key = ({ listenerAddr, hostname }: RouteStatus) => `${listenerAddr} ${hostname}`;
  const old = new Map(before?.routes.map((route) => [key(route), route]));
  return now.routes
    .map((route) => rated(route, old.get(key(route)), seconds, before !== undefined))
    .sort((a, b) => order(b) - order(a) || b.now.activeConnections - a.now.activeConnections);
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
function share(room: number, needs: readonly number[]): number[] {
  const given = needs.map(() => 0);
  for (let left = room; left > 0; left--) {
    const wanting = [...needs.keys()].filter((i) => (given[i] ?? 0) < (needs[i] ?? 0));
    const poorest = wanting.sort((a, b) => (given[a] ?? 0) - (given[b] ?? 0))[0];
    if (poorest === undefined) break;
    given[poorest] = (given[poorest] ?? 0) + 1;
  }
  return given;
}
