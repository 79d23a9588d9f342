import type { SharedCell } from "../balance/mod.ts";
import type { RevocationLists } from "../connector/mod.ts";
import type { CompiledFirewall } from "../firewall/mod.ts";
import type {
  FieldSettings,
  H2TransportName,
  HttpLimits,
  PageContent,
  TlsMaterial,
} from "../l7/mod.ts";
import type { ResolverSettings } from "../resolver/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ErrorPage } from "../state/mod.ts";
import type { ListenerKind } from "../state/mod.ts";

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
  /** What the files of error pages hold. */
  readonly pages?: readonly PageContent[];
  /** What all threads know of each backend of routes with several, or with checks. */
  readonly backends?: readonly SharedCell[];
  /** Absent: no route of mode mtls is served. */
  readonly connector?: ConnectorSnapshot;
  /** Names that are being proved by tls-alpn-01 or http-01. */
  readonly challenges?: readonly ChallengeSnapshot[];
  /** What names of backends are resolved with. Absent: the system's resolver. */
  readonly resolver?: ResolverSettings;
  /** Whether new connections are refused everywhere, as the group wants it. */
  readonly isDrained?: boolean;
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
    /** Whether requests that a policy refuses are reported all the same. */
    readonly refusedRequests?: boolean;
    readonly fields?: FieldSettings;
    readonly limits?: HttpLimits;
    readonly errorPages?: readonly ErrorPage[];
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
  /** Absent: TLS. */
  readonly kind?: ListenerKind;
  /** Of one that redirects: the port of https; absent: that of the listener that has the route. */
  readonly redirectPort?: number;
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

/** What the data plane knows of the connector; plain data that a worker can be sent. */
export interface ConnectorSnapshot {
  /** The trust domain of every identity. */
  readonly issuer: string;
  /** Hosts are one label below it. */
  readonly domain: string;
  /** Of hosts whose row names no port. */
  readonly defaultPort: number;
  /** Where sessions may be led; see `compileDestinations` in lib/connector. */
  readonly allowedNetworks: readonly string[];
  /** PEM of the authorities of clients. */
  readonly authorities: readonly string[];
  readonly revocationLists: RevocationLists;
  /** The connector's own certificate; in memory only, never logged. */
  readonly certPem: string;
  readonly keyPem: string;
}

/** A name that is being proved, and what the data plane shows for it. */
export type ChallengeSnapshot = TlsProofSnapshot | HttpProofSnapshot;

/** By http-01 (RFC 8555 §8.3). */
export interface HttpProofSnapshot {
  readonly type: "http-01";
  /** As clients ask for it. */
  readonly name: string;
  /** The end of the path that the authority asks for: base64url, and nothing else. */
  readonly token: string;
  /** What is answered there. */
  readonly keyAuthorization: string;
}

/** By tls-alpn-01 (RFC 8737). */
export interface TlsProofSnapshot {
  readonly type: "tls-alpn-01";
  /** As clients ask for it. */
  readonly name: string;
  /** The certificate that proves it, DER. */
  readonly certificate: Uint8Array;
  /** Its key, PKCS #8; good for nothing else. */
  readonly key: Uint8Array;
}
