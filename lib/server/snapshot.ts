import type { CompiledFirewall } from "../firewall/mod.ts";
import type { FieldSettings, H2TransportName, TlsMaterial } from "../l7/mod.ts";
import type { ResolverSettings } from "../resolver/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ConnectorSnapshot } from "./connector.ts";

/**
 * Everything the data plane needs to know, compiled by the control plane and cloned to every
 * worker. Large and shared things travel as `SharedArrayBuffer`s, so one copy serves all.
 */
export interface Snapshot {
  readonly settings: Settings;
  readonly listeners: readonly ListenerSnapshot[];
  readonly firewall: FirewallSnapshot;
  /** Certificates and keys of the routes that terminate TLS, in memory only. */
  readonly tls?: readonly TlsMaterial[];
  /** Absent: no route of mode mtls is served. */
  readonly connector?: ConnectorSnapshot;
  /** What names of backends are resolved with. Absent: the system's resolver. */
  readonly resolver?: ResolverSettings;
}

/** Deadlines of the data plane, in milliseconds. */
export interface Settings {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** How short of memory the process is, a `Pressure` (lib/observe); absent: never. */
  readonly pressure?: SharedArrayBuffer;
  /** Ports of this program beside those of its listeners. */
  readonly ownPorts?: readonly number[];
  /** Default: our own HTTP/2 towards backends, and an access log. */
  readonly l7?: {
    readonly h2Transport: H2TransportName;
    readonly accessLog: boolean;
    readonly fields?: FieldSettings;
  };
}

/** One listener with its routes. */
export interface ListenerSnapshot {
  readonly id: number;
  /** As configured; names the listener in logs. */
  readonly addr: string;
  /** Where to bind: the configured address, with port 0 replaced by a real one. */
  readonly host: string;
  readonly port: number;
  readonly proxyProtocol: boolean;
  /** Over all workers; 0: no limit. */
  readonly maxConnections: number;
  /** Addresses and blocks that may send PROXY headers; empty: every peer. */
  readonly trustedProxies: readonly string[];
  readonly routes: readonly Route[];
  /** The listener's `ConnectionGauge`, the same for all workers. */
  readonly gauge: SharedArrayBuffer;
}

/** The global firewall. */
export interface FirewallSnapshot {
  readonly rules: CompiledFirewall;
  /** The octets of the GeoIP database. */
  readonly geoip?: SharedArrayBuffer;
  readonly rateLimit?: RateLimitSnapshot;
  /** What counts as one source, and what it may; absent: the defaults. */
  readonly sources?: SourcesSnapshot;
}

/** Sources of connections; the same as long as the process runs. */
export interface SourcesSnapshot {
  /** Of IPv6 addresses, in bits. */
  readonly ipv6Prefix: number;
  /** How many times the rate limit an IPv6 /48 may; 0: any number. */
  readonly siteFactor: number;
  /** Open connections of one source, counted in memory that all workers share. */
  readonly connections?: { readonly limit: number; readonly buffer: SharedArrayBuffer };
}

/** A limit of connections per source address, counted in memory that all workers share. */
export interface RateLimitSnapshot {
  readonly limit: number;
  readonly windowMs: number;
  readonly buffer: SharedArrayBuffer;
}

/** One step from a snapshot to the next; a mutation is a list of them, applied together. */
export type Change =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "firewall"; readonly firewall: FirewallSnapshot }
  | { readonly kind: "connector"; readonly connector: ConnectorSnapshot }
  | { readonly kind: "resolver"; readonly resolver: ResolverSettings }
  /** The rules alone: opening the GeoIP database anew would check the whole of it. */
  | { readonly kind: "rules"; readonly rules: CompiledFirewall }
  | { readonly kind: "rate_limit"; readonly rateLimit?: RateLimitSnapshot }
  | { readonly kind: "add_listener"; readonly listener: ListenerSnapshot }
  | { readonly kind: "remove_listener"; readonly listenerId: number }
  /** Routes that an `add_listener` or a `snapshot` to come will find beside its own. */
  | {
    readonly kind: "stage_routes";
    readonly listenerId: number;
    /** Those that were staged before are forgotten. */
    readonly first: boolean;
    readonly routes: readonly Route[];
  }
  | {
    readonly kind: "routes";
    readonly listenerId: number;
    /** Added, or replacing the route of the same hostname. */
    readonly set: readonly Route[];
    /** Hostnames of removed routes. */
    readonly remove: readonly string[];
  }
  /** Certificates and keys for new connections; open ones go on with what they have. */
  | {
    readonly kind: "tls";
    readonly set: readonly TlsMaterial[];
    /** Ids that no route uses any more. */
    readonly remove: readonly string[];
  };
