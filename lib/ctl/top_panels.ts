/**
 * The lists on the screen of `mcproxyctl top`: their rows, columns and how many lines they take.
 *
 * @module
 */
import type { Hitter } from "../admin/gen/mod.ts";
import type { RouteStatus } from "../client/mod.ts";
import { type Column, cut, formatBytes, formatCount, renderTable } from "../terminal/mod.ts";
import type { TopChoice } from "./top_choice.ts";
import {
  type Rated,
  type RatedListener,
  ratedListeners,
  ratedRoutes,
  type RatedRule,
  ratedRules,
  type TopView,
} from "./top_rates.ts";

const NAME_WIDTH = 34;

/** What the other columns of the widest table take. */
const OTHER_COLUMNS = 40;

/** A titled list that shares the screen with others. */
interface Panel {
  readonly rows: number;
  readonly lines: (room: number) => string[];
}

/** The lists of the screen, from above. */
export function panelsOf(
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

function rateColumns<T>(): Column<Rated<T>>[] {
  return [
    { title: " NEW/S", value: ({ connections }) => formatCount(connections), right: true },
    { title: "   IN/S", value: ({ bytesIn }) => formatBytes(bytesIn), right: true },
    { title: "  OUT/S", value: ({ bytesOut }) => formatBytes(bytesOut), right: true },
  ];
}

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

/** A heading and as many rows as there is room for; the last line says how many are left out. */
function limited<T>(rows: readonly T[], room: number, columns: readonly Column<T>[]): string[] {
  if (rows.length === 0) return [...renderTable([], columns), "  none"];
  if (rows.length <= room) return renderTable(rows, columns);
  const shown = rows.slice(0, room - 1);
  return [...renderTable(shown, columns), `  and ${rows.length - shown.length} more`];
}

/** Shares lines out: each part gets what it needs while there is enough, else its even part. */
export function share(room: number, needs: readonly number[]): number[] {
  const given = needs.map(() => 0);
  for (let left = room; left > 0; left--) {
    const wanting = [...needs.keys()].filter((i) => (given[i] ?? 0) < (needs[i] ?? 0));
    const poorest = wanting.sort((a, b) => (given[a] ?? 0) - (given[b] ?? 0))[0];
    if (poorest === undefined) break;
    given[poorest] = (given[poorest] ?? 0) + 1;
  }
  return given;
}
