import { Columns, numberIn, type Row } from "../sqlite/mod.ts";
import { type FirewallRule, parseFirewallRule } from "../firewall/mod.ts";
import {
  LISTENER,
  type ListenerSettings,
  ROUTE,
  type Route,
  type RouteSettings,
  RULE,
} from "../state/mod.ts";

export const LISTENER_COLUMNS = new Columns(LISTENER);
export const ROUTE_COLUMNS = new Columns(ROUTE);
export const RULE_COLUMNS = new Columns(RULE);

/** A listener. */
export interface ListenerRow extends ListenerSettings {
  readonly id: number;
}

/** A route and the listener that it belongs to. */
export interface RouteRow extends Route {
  readonly listenerId: number;
}

/** What `addListener` needs; the rest has the defaults of the configuration. */
export type NewListener = Pick<ListenerRow, "addr"> & Partial<Omit<ListenerRow, "id" | "addr">>;

/** What `addRoute` needs; the rest has the defaults of the configuration. */
export type NewRoute =
  & Pick<Route, "hostname" | "backend">
  & Partial<Omit<RouteSettings, "hostname" | "backend" | "policies">>;

/** What `addFirewallRule` needs. Times are milliseconds since 1970. */
export interface NewFirewallRule extends Omit<FirewallRule, "id"> {
  readonly reason?: string;
  /** When it ends on its own. */
  readonly expiresAt?: number;
  readonly createdAt?: number;
}

export function toListenerRow(row: Row): ListenerRow {
  const { routes: _, ...listener } = LISTENER_COLUMNS.read(row);
  return { id: numberIn(row, "id"), ...listener };
}

export function toRouteRow(row: Row): RouteRow {
  const { policies: _, ...route } = ROUTE_COLUMNS.read(row);
  return { id: numberIn(row, "id"), listenerId: numberIn(row, "listener_id"), ...route };
}

/** A rule in the spelling by which it is looked for; one that does not parse stays as it is. */
export function toFirewallRule(row: Row): FirewallRule {
  const rule = RULE_COLUMNS.read({ reason: "", expires_at: null, ...row });
  const canonical = parseFirewallRule(rule.type, rule.value);
  const value = canonical.ok ? canonical.value : rule.value;
  return plainRule({ ...rule, id: numberIn(row, "id"), value });
}

/** What of a rule decides about connections. */
export function plainRule({ id, type, value, action, skipRateLimit }: FirewallRule): FirewallRule {
  return {
    id,
    type,
    value,
    ...action !== undefined && { action },
    ...skipRateLimit !== undefined && { skipRateLimit },
  };
}
