import type { TsigAlgorithm } from "../tsig/mod.ts";
import type { LogConfig, MetricsConfig } from "../settings/mod.ts";

/**
 * A checked configuration of MCNS. Names mirror the file's in camelCase, durations are in
 * milliseconds, sizes in octets, and addresses and names are in their canonical form.
 * `docs/mcns.md` says what each setting does.
 */
export interface McnsConfig {
  /** Absent: zones are managed by commands on this machine alone. */
  readonly server?: ManagementConfig;
  readonly database: { readonly path: string };
  readonly dns: DnsConfig;
  /** Absent: only `auth.tokenHashes` are taken. */
  readonly mcias?: McIasConfig;
  readonly auth: AuthConfig;
  readonly log: LogConfig;
  /** Absent: no metrics. */
  readonly metrics?: MetricsConfig;
}

/** REST and gRPC, both over TLS. */
export interface ManagementConfig {
  /** Where REST is served, canonical; absent: it is not. */
  readonly listenAddr?: string;
  /** Where gRPC is served, canonical; absent: it is not. */
  readonly grpcAddr?: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
}

export interface DnsConfig {
  /** Canonical endpoints, all with the same port but for tests. */
  readonly listenAddr: string;
  /** Further ones. */
  readonly listenAlsoAt: readonly string[];
  /** Canonical endpoints. */
  readonly upstreams: readonly string[];
  /** Those of all upstreams whose AD flag is passed on. */
  readonly trustedUpstreams: readonly string[];
  /** Addresses and blocks. */
  readonly allowRecursion: readonly string[];
  readonly forward: readonly ForwardConfig[];
  readonly keys: readonly KeyConfig[];
  readonly zones: readonly ZoneConfig[];
  readonly secondary: readonly SecondaryConfig[];
  readonly cache: CacheConfig;
  readonly rrl: RrlConfig;
  readonly cookies: CookieConfig;
  readonly limits: DnsLimits;
  /** Absent: no DNS over TLS. */
  readonly dot?: DotConfig;
  readonly shutdownTimeoutMs: number;
}

/** A zone whose names other servers are asked for. */
export interface ForwardConfig {
  /** Canonical, without the last dot; the root is `.`. */
  readonly zone: string;
  /** Canonical endpoints; at least one. */
  readonly upstreams: readonly string[];
}

/** A key that is shared with another server (TSIG). */
export interface KeyConfig {
  /** Canonical, with the last dot, as all names here. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secretFile: string;
}

/** What a zone is served with beside its records. */
export interface ZoneConfig {
  readonly zone: string;
  /** Addresses and blocks. */
  readonly allowTransfer: readonly string[];
  readonly transferKeys: readonly string[];
  /** Canonical endpoints. */
  readonly notify: readonly string[];
  /** Of `keys`; absent: what they are told is not signed. */
  readonly notifyKey?: string;
  /** Absent: it is not signed. */
  readonly dnssecKeys?: string;
  readonly update: readonly UpdateConfig[];
}

/** A zone that other servers have first. */
export interface SecondaryConfig {
  readonly zone: string;
  /** Canonical endpoints; at least one. */
  readonly primaries: readonly string[];
  /** Of `keys`; absent: nothing is signed. */
  readonly key?: string;
  /** Addresses and blocks. */
  readonly allowNotify: readonly string[];
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  readonly minRetryMs: number;
  readonly maxRetryMs: number;
  readonly maxExpireMs: number;
}

/** What a key may change in a zone. */
export interface UpdateConfig {
  readonly key: string;
  readonly name: string;
  readonly below: boolean;
  /** Empty: all. */
  readonly types: readonly string[];
}

/** Answers of upstreams that are kept. */
export interface CacheConfig {
  /** Octets. */
  readonly size: number;
  /** How long an answer that is too old may stand in while no upstream answers; 0: not at all. */
  readonly serveStaleMs: number;
}

/** Answers over UDP to whoever has not shown that its address is its own. */
export interface RrlConfig {
  /** A second and prefix; 0: any number. */
  readonly responsesPerSecond: number;
  /** Each so manieth answer over the limit is sent truncated instead of not at all; 0: none. */
  readonly slip: number;
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  /** Addresses and blocks. */
  readonly exempt: readonly string[];
}

export interface CookieConfig {
  readonly enabled: boolean;
  /** Holds 32 hexadecimal digits; absent: a secret of each start. */
  readonly secretFile?: string;
}

export interface DnsLimits {
  /** Octets of an answer over UDP at most. */
  readonly udpPayload: number;
  readonly tcpConnections: number;
  readonly tcpPerSource: number;
  readonly tcpIdleMs: number;
  /** Questions of one connection that are being answered at one time. */
  readonly tcpPipeline: number;
}

/** DNS over TLS (RFC 7858). */
export interface DotConfig {
  readonly listenAddr: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** Where bearer tokens are checked. */
export interface McIasConfig {
  /** An https URL. */
  readonly serverUrl: string;
  /** Authorities of the server's certificate, PEM; empty: those of the runtime. */
  readonly caCert: string;
  readonly serviceName: string;
  readonly tags: readonly string[];
}

export interface AuthConfig {
  /** `sha256:` and 64 hexadecimal digits in lower case, each of a token that may do everything. */
  readonly tokenHashes: readonly string[];
}
