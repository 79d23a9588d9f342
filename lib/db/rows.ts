import { parseHostPattern } from "../addr/mod.ts";
import { type FirewallRule, parseFirewallRule } from "../firewall/mod.ts";
import { BACKEND_PROTOCOLS, type BackendProtocol, type Mode, type Route } from "../routes/mod.ts";
import { DatabaseError } from "./errors.ts";
import type { Row } from "./statements.ts";

/** A listener; canonical `addr`. */
export interface ListenerRow {
  readonly id: number;
  readonly addr: string;
  readonly proxyProtocol: boolean;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** IP addresses and CIDR blocks; empty: any peer. */
  readonly trustedProxies: readonly string[];
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
  & Partial<Omit<Route, "id" | "hostname" | "backend" | "policies">>;

/** Settings that only l7 routes have; an absent one has its default. */
type L7Key = "backendProtocol" | "backendTlsVerify" | "backendCa" | "backendServerName";

/** A route with everything said. */
export type FullRoute = Required<Omit<NewRoute, L7Key>> & Pick<NewRoute, L7Key>;

/** What `addFirewallRule` needs. Times are milliseconds since 1970. */
export interface NewFirewallRule extends Omit<FirewallRule, "id"> {
  readonly reason?: string;
  /** When it ends on its own. */
  readonly expiresAt?: number;
  readonly createdAt?: number;
}

export function toListenerRow(row: Row): ListenerRow {
  return {
    id: number(row, "id"),
    addr: text(row, "addr"),
    proxyProtocol: number(row, "proxy_protocol") !== 0,
    maxConnections: number(row, "max_connections"),
    trustedProxies: textArray(row, "trusted_proxies"),
  };
}

export function toRouteRow(row: Row): RouteRow {
  return {
    id: number(row, "id"),
    listenerId: number(row, "listener_id"),
    hostname: canonicalHostname(text(row, "hostname")),
    backend: text(row, "backend"),
    mode: mode(row),
    tlsCert: text(row, "tls_cert"),
    tlsKey: text(row, "tls_key"),
    backendTls: number(row, "backend_tls") !== 0,
    sendProxyProtocol: number(row, "send_proxy_protocol") !== 0,
    ...l7Settings({
      backendProtocol: backendProtocol(row),
      backendTlsVerify: number(row, "backend_tls_verify") !== 0,
      backendCa: text(row, "backend_ca"),
      backendServerName: text(row, "backend_server_name"),
    }),
  };
}

/** Those of the settings that are not at their defaults: most routes have none. */
export function l7Settings(
  { backendProtocol, backendTlsVerify, backendCa, backendServerName }: Pick<NewRoute, L7Key>,
): Pick<NewRoute, L7Key> {
  return {
    ...backendProtocol !== undefined && backendProtocol !== "auto" && { backendProtocol },
    ...backendTlsVerify === true && { backendTlsVerify },
    ...backendCa !== undefined && backendCa !== "" && { backendCa },
    ...backendServerName !== undefined && backendServerName !== "" && { backendServerName },
  };
}

export function toFirewallRule(row: Row): FirewallRule {
  const type = text(row, "type");
  if (type !== "ip" && type !== "cidr" && type !== "country") throw unexpected(row, "type");
  const value = text(row, "value");
  const canonical = parseFirewallRule(type, value);
  return { id: number(row, "id"), type, value: canonical.ok ? canonical.value : value };
}

/**
 * Rows of the first versions, and those that an operator wrote by hand, may hold any spelling. One
 * that does not parse stays as it is, for whoever compiles it to name it.
 */
function canonicalHostname(hostname: string): string {
  const pattern = parseHostPattern(hostname);
  if (!pattern.ok) return hostname;
  return pattern.value.wildcard ? `*.${pattern.value.name}` : pattern.value.name;
}

function mode(row: Row): Mode {
  const { mode } = row;
  if (mode === "l4" || mode === "l7" || mode === "mtls") return mode;
  throw unexpected(row, "mode");
}

function backendProtocol(row: Row): BackendProtocol {
  const value = text(row, "backend_protocol");
  const known = BACKEND_PROTOCOLS.find((name) => name === value);
  if (known === undefined) throw unexpected(row, "backend_protocol");
  return known;
}

function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw unexpected(row, column);
  return value;
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw unexpected(row, column);
  return value;
}

function textArray(row: Row, column: string): readonly string[] {
  // The table checks that it is a JSON array.
  const value: unknown = JSON.parse(text(row, column));
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === "string")) {
    throw unexpected(row, column);
  }
  return value;
}

/** SQLite's types bind loosely: another program can store a text where a number belongs. */
function unexpected(row: Row, column: string): DatabaseError {
  const message = `the row with the id ${row.id} has an unexpected value in the column ${column}`;
  return new DatabaseError("corrupt", message);
}
