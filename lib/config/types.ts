import type { L7Policy, Route } from "../routes/mod.ts";

/**
 * A checked configuration. Names mirror the file's in camelCase, durations are in milliseconds,
 * and addresses, names and endpoints are in their canonical form. `docs/config.md` says what each
 * setting does.
 */
export interface Config {
  readonly database: DatabaseConfig;
  /** Seeds the database while that has never been written; see `Database.seed()`. */
  readonly listeners: readonly ListenerSeed[];
  /** Absent: no admin API. */
  readonly grpc?: GrpcConfig;
  readonly firewall: FirewallConfig;
  readonly proxy: ProxyConfig;
  readonly l7: L7Config;
  readonly log: LogConfig;
  readonly server: ServerConfig;
  /** Absent: no metrics. */
  readonly metrics?: MetricsConfig;
}

export interface DatabaseConfig {
  readonly path: string;
}

export interface ListenerSeed {
  /** Canonical, such as `:443`. */
  readonly addr: string;
  readonly proxyProtocol: boolean;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** IP addresses and CIDR blocks; empty: any peer. */
  readonly trustedProxies: readonly string[];
  readonly routes: readonly RouteSeed[];
}

/** A route before the database gives it an id. */
export interface RouteSeed extends Omit<Route, "id" | "policies"> {
  readonly policies?: readonly PolicySeed[];
}

/** A policy before the database gives it an id. */
export type PolicySeed = Omit<L7Policy, "id">;

export interface GrpcConfig {
  /** Path of the Unix socket. */
  readonly addr: string;
}

export interface MetricsConfig {
  /** Canonical, such as `127.0.0.1:9100`; one with a slash is the path of a Unix socket. */
  readonly addr: string;
}

export interface FirewallConfig {
  readonly geoipDb?: string;
  readonly blockedIps: readonly string[];
  readonly blockedCidrs: readonly string[];
  readonly blockedCountries: readonly string[];
  /** Connections per source address and window; 0: off. */
  readonly rateLimit: number;
  readonly rateWindowMs: number;
}

export interface ProxyConfig {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

export interface L7Config {
  /** Who frames HTTP/2 towards backends: lib/h2, or `node:http2`. */
  readonly h2Transport: "own" | "node";
  readonly accessLog: boolean;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "text" | "json";

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export interface ServerConfig {
  /** Absent: one for each core. 0: the data plane runs in the main thread. */
  readonly workers?: number;
}
