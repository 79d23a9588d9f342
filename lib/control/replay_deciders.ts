/**
 * What decides about the connections of a replay: rules, routes and whom they name, before a change
 * and after it.
 *
 * @module
 */
import { type IpAddress, parseIp } from "../addr/mod.ts";
import { type AllowList, compileAllowList, type Firewall, type GeoIp } from "../firewall/mod.ts";
import type { PastVisits } from "../history/mod.ts";
import {
  compileRoutes,
  type HttpsListener,
  httpsPlace,
  type Route,
  type RouteTable,
} from "../routes/mod.ts";
import { Slices } from "../slices/mod.ts";
import { isRedirect, type Listener } from "../state/mod.ts";

/** What decides about connections. */
export interface Deciders {
  readonly firewall: Firewall;
  /** Whom a route names, if it does. */
  readonly allowList: (route: Route) => AllowList | undefined;
  /** By the address of the listener. */
  readonly tables: ReadonlyMap<string, Way>;
}

/** What a listener finds routes with. */
interface Way extends HttpsListener {
  /** All that plain HTTP may be sent to. */
  readonly all: readonly HttpsListener[];
}

/** Of a listener that has none. */
export const NO_ROUTES = compileRoutes([]);

/** By the addresses of listeners, with the tables that they route by. */
export function waysOf<L extends Pick<Listener, "addr" | "kind">>(
  listeners: readonly L[],
  table: (listener: L) => RouteTable,
): Map<string, Way> {
  // Which port it is does not matter: whether there is one decides.
  const all = listeners.map((listener) => {
    return { port: 0, isRedirect: isRedirect(listener), routes: table(listener) };
  });
  return new Map(listeners.map(({ addr }, i) => [addr, { ...all[i] as HttpsListener, all }]));
}

/** {@link waysOf} for listeners that are not served. */
export async function wantedWays(
  listeners: readonly Listener[],
  slices: Slices,
): Promise<Map<string, Way>> {
  const tables = new Map<Listener, RouteTable>();
  for (const listener of listeners) {
    const table = compileRoutes([]);
    for (const [i, { policies: _, ...route }] of listener.routes.entries()) {
      table.set({ ...route, id: i + 1 });
      if (slices.isOver) await slices.pause();
    }
    tables.set(listener, table);
  }
  return waysOf(listeners, (listener) => tables.get(listener) ?? NO_ROUTES);
}

/** Why a visit is refused; nothing if it is not, as far as can be known of it. */
export function decide(
  { client, listener, sni }: PastVisits,
  deciders: Deciders,
): string | undefined {
  const ip = parseIp(client);
  if (!ip.ok) return undefined;
  const blocked = blockedBy(ip.value, deciders.firewall);
  if (blocked !== undefined) return blocked;
  // Whoever was refused before saying a name was not asked for one.
  if (sni === "") return undefined;
  const way = deciders.tables.get(listener);
  if (way === undefined) return `no listener ${listener}`;
  if (way.isRedirect) {
    const isAllowed = (route: Route) => deciders.allowList(route)?.holds(ip.value) !== false;
    return httpsPlace(way.all, sni, isAllowed) === undefined ? `no l7 route for ${sni}` : undefined;
  }
  const route = way.routes.match(sni);
  if (route === undefined) return `no route for ${sni}`;
  return deciders.allowList(route)?.holds(ip.value) === false
    ? `the route ${route.hostname} names others`
    : undefined;
}

/** Compiled when they are asked for. */
export function allowLists(geoip: GeoIp | undefined): Deciders["allowList"] {
  const known = new Map<Route, AllowList | undefined>();
  return (route) => {
    if (!known.has(route)) known.set(route, compileAllowList(route, geoip));
    return known.get(route);
  };
}

function blockedBy(ip: IpAddress, firewall: Firewall): string | undefined {
  const verdict = firewall.check(ip);
  return verdict.action === "block" ? `${verdict.rule.type} ${verdict.rule.value}` : undefined;
}
