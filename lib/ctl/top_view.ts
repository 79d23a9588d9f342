import type { Status } from "../client/mod.ts";
import {
  cut,
  formatBytes,
  formatCount,
  formatDuration,
  plain,
  type Size,
} from "../terminal/mod.ts";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { FIRST_CHOICE, type TopChoice } from "./top_choice.ts";
import { panelsOf, share } from "./top_panels.ts";
import { perSecond, secondsBetween, type TopView } from "./top_rates.ts";

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
