import type { HttpLimits } from "../http/mod.ts";
import type { LogConfig, MetricsConfig } from "../settings/mod.ts";
import type { ErrorPage, Listener, NamedFile } from "../state/mod.ts";

/**
 * A checked configuration. Names mirror the file's in camelCase, durations are in milliseconds,
 * and addresses, names and endpoints are in their canonical form. `docs/config.md` says what each
 * setting does.
 */
export interface Config {
  readonly database: DatabaseConfig;
  readonly state: StateConfig;
  /** Seeds the database while that has never been written; see `Database.seed()`. */
  readonly listeners: readonly Listener[];
  /** Absent: no admin API. */
  readonly grpc?: GrpcConfig;
  readonly firewall: FirewallConfig;
  /** Who is banned for what; empty: nobody. */
  readonly bans: readonly BanConfig[];
  /** Absent: what has ended is forgotten. */
  readonly history?: HistoryConfig;
  readonly proxy: ProxyConfig;
  readonly resolver: ResolverConfig;
  readonly l7: L7Config;
  readonly log: LogConfig;
  readonly server: ServerConfig;
  /** Absent: no metrics. */
  readonly metrics?: MetricsConfig;
  /** Absent: routes of mode mtls are refused. */
  readonly connector?: ConnectorConfig;
  /** Absent: no route may have its certificate from an authority. */
  readonly acme?: AcmeConfig;
  /** Absent: no name server's records are changed. */
  readonly mcns?: McnsConfig;
}

/** The name server beside the proxy. */
export interface McnsConfig {
  /** An https URL. */
  readonly server: string;
  /** Canonical endpoint. */
  readonly dns: string;
  readonly caCert?: string;
  readonly tokenFile: string;
  readonly zones: readonly string[];
  readonly propagationMs: number;
  /** Absent: no records are made of routes. */
  readonly publish?: PublishConfig;
}

/** Records that are made of routes. */
export interface PublishConfig {
  /** Canonical. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** Certificates from an authority. */
export interface AcmeConfig {
  /** An https URL. */
  readonly directory: string;
  readonly email: string;
  readonly agreeTos: boolean;
  readonly caCert?: string;
  readonly eabKid?: string;
  readonly eabKeyFile?: string;
  readonly profile?: string;
  readonly challenge: "tls-alpn-01" | "http-01" | "dns-01";
  /** Where dns-01 shows its proofs; absent: at `mcns`. */
  readonly dns?: AcmeDnsConfig;
}

/** A name server that takes changes. */
export interface AcmeDnsConfig {
  /** Canonical endpoint. */
  readonly server: string;
  readonly zones: readonly string[];
  readonly keyName: string;
  readonly keyFile: string;
  readonly propagationMs: number;
}

export interface DatabaseConfig {
  readonly path: string;
}

/** Where the truth about listeners, routes and rules is. */
export interface StateConfig {
  readonly source: "database" | "file" | "postgres";
  /** Where the group's truth is; given where the source is `postgres`. */
  readonly postgres?: StatePostgresConfig;
  /** What tells this proxy from the others of its group. */
  readonly local?: StateLocalConfig;
}

/** The PostgreSQL that has the truth about a group of proxies. */
export interface StatePostgresConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent: the role needs none, for example because of its certificate. */
  readonly passwordFile?: string;
  readonly database: string;
  readonly tls: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly group: string;
  /** Whether checks of backends are split over the proxies of the group. */
  readonly shareHealth: boolean;
  /** Whether rate limits hold over all proxies of the group. */
  readonly shareLimits: boolean;
  /** Whether proxies of the group have each other's certificates. */
  readonly shareCertificates: boolean;
  /** What they are sealed with on their way; there is one if they are shared. */
  readonly shareKeyFile?: string;
}

/** One proxy of a group. */
export interface StateLocalConfig {
  readonly name: string;
  /** How long it may be without having caught up with its group and be well; 0: for ever. */
  readonly maxLagMs: number;
  /** Where listeners are that the group knows by a name. */
  readonly listeners: readonly NamedAddress[];
  /** Where files are that the group knows by a name. */
  readonly files: readonly NamedFile[];
}

/** A listener's name in its group, and where it is here. */
export interface NamedAddress {
  readonly name: string;
  /** Canonical. */
  readonly addr: string;
}

export interface GrpcConfig {
  /** Path of the Unix socket. */
  readonly addr: string;
}

/** The mTLS connector. */
export interface ConnectorConfig {
  /** Where the command `mc-proxy connector` listens, canonical. */
  readonly listen: string;
  readonly proxyProtocol: boolean;
  readonly trustedProxies: readonly string[];
  readonly maxConnections: number;
  readonly sendProxyProtocol: boolean;
  /** Files of the authorities of clients, PEM. */
  readonly caCerts: readonly string[];
  /** Files of revocation lists, PEM or DER. */
  readonly crls: readonly string[];
  readonly serverCert: string;
  readonly serverKey: string;
  /** The SPIFFE trust domain of every identity. */
  readonly issuer: string;
  /** Hosts are one label below it; canonical. */
  readonly domain: string;
  /** Of hosts whose row names none. */
  readonly defaultPort: number;
  /** Where sessions may be led; empty: everywhere but to special addresses. */
  readonly allowedNetworks: readonly string[];
  /** `postgres`, or `sqlite:` and a path. */
  readonly db: string;
  readonly dbHost: string;
  readonly dbPort: number;
  readonly dbUser: string;
  readonly dbPassword: string;
  /** Holds the password; wins over `dbPassword`. */
  readonly dbPasswordFile?: string;
  readonly dbName: string;
  readonly dbTls: boolean;
  /** Authorities of the database's certificate, PEM. */
  readonly dbCa?: string;
  /** 0: off. */
  readonly authorizationCacheMs: number;
  readonly revalidateMs: number;
  readonly outageGraceMs: number;
}

export interface FirewallConfig {
  readonly geoipDb?: string;
  readonly blockedIps: readonly string[];
  readonly blockedCidrs: readonly string[];
  readonly blockedCountries: readonly string[];
  readonly allowedIps: readonly string[];
  readonly allowedCidrs: readonly string[];
  readonly allowedCountries: readonly string[];
  /** Whether the rate limit does not hold for those three. */
  readonly allowedSkipRateLimit: boolean;
  /** Connections per source address and window; 0: off. */
  readonly rateLimit: number;
  readonly rateWindowMs: number;
  /** What counts as one source of IPv6, in bits. */
  readonly ipv6Prefix: number;
  /** How many times `rateLimit` an IPv6 /48 may; 0: any number. */
  readonly ipv6SiteFactor: number;
  /** Open connections; 0: any number. */
  readonly maxConnectionsPerSource: number;
}

/** Sources that do something `count` times `withinMs` are banned for a time. */
export interface BanConfig {
  /** Outcomes of connections, and `policy`. */
  readonly on: readonly string[];
  readonly count: number;
  readonly withinMs: number;
  readonly forMs: number;
}

/** Past connections. */
export interface HistoryConfig {
  /** Of a database of its own. */
  readonly path: string;
  readonly days: number;
  readonly megabytes: number;
}

export interface ProxyConfig {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

export interface ResolverConfig {
  /** Canonical endpoints; empty: those of `/etc/resolv.conf`. */
  readonly servers: readonly string[];
}

export interface L7Config {
  /** Who frames HTTP/2 towards backends: lib/h2, or `node:http2`. */
  readonly h2Transport: "own" | "node";
  readonly accessLog: boolean;
  /** Requests with `_` in the name of a field are answered 400. */
  readonly refuseUnderscores: boolean;
  /** Addresses and CIDR blocks whose forwarding fields are believed. */
  readonly trustedForwarding: readonly string[];
  /** Names of trailers that requests may have besides the usual ones. */
  readonly requestTrailers: readonly string[];
  readonly errorPages: readonly ErrorPage[];
  readonly limits: HttpLimits;
}

export interface ServerConfig {
  /** Absent: one for each core. 0: the data plane runs in the main thread. */
  readonly workers?: number;
  /** What carries TCP. */
  readonly sockets: "auto" | "handles" | "node";
  /** Memory that the process may use, in MiB; 0: any amount. */
  readonly memoryLimitMib: number;
}
