import { blockOf, type Cidr, isLoopback, parseIp } from "../addr/mod.ts";
import type { Server } from "../dns_client/mod.ts";
import type { Name } from "../dns/mod.ts";

/** Who may have names looked up that are not ours: loopback, private and CGNAT ranges. */
export const DEFAULT_ALLOW_RECURSION: readonly string[] = Object.freeze([
  "127.0.0.0/8",
  "::1/128",
  "10.0.0.0/8", // RFC 1918, this and the next two
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10", // RFC 6598
  "169.254.0.0/16", // RFC 3927
  "fc00::/7", // RFC 4193
  "fe80::/10",
]);

/** A recursive server that questions are passed on to. */
export interface UpstreamSettings extends Server {
  /** Whether it is believed that it validated, and that nobody is between it and us (AD). */
  readonly isTrusted: boolean;
}

/** A zone, and everything below it, that servers of its own are asked about. */
export interface ForwardZone {
  readonly zone: Name;
  readonly upstreams: readonly UpstreamSettings[];
}

/** How much a forwarder holds at a time. */
export interface ForwardLimits {
  /** Answers that are remembered. */
  readonly cacheEntries: number;
  /** Octets of memory that they take, with what surrounds them. */
  readonly cacheOctets: number;
  /** Questions to upstreams that are under way; each has up to four sockets. */
  readonly questions: number;
  /** Clients' questions that wait for those. */
  readonly waiting: number;
  /** Of them, of one source (an IPv4 address, an IPv6 /64). */
  readonly waitingPerSource: number;
  /** Seconds after its end for which an answer is better than none (RFC 8767). */
  readonly staleSeconds: number;
}

/** What fits a small machine, and more than an office asks. */
export const DEFAULT_FORWARD_LIMITS: ForwardLimits = Object.freeze({
  cacheEntries: 100_000,
  cacheOctets: 64 * 1024 * 1024,
  questions: 512,
  waiting: 4096,
  waitingPerSource: 256,
  staleSeconds: 3600,
});

/** Who may ask, and who is asked. */
export interface ForwardSettings {
  readonly allowRecursion: readonly Cidr[];
  /** For whatever no zone is named for; none: only those zones are forwarded. */
  readonly upstreams: readonly UpstreamSettings[];
  readonly zones?: readonly ForwardZone[];
  readonly limits?: Partial<ForwardLimits>;
}

/** The blocks of {@link DEFAULT_ALLOW_RECURSION}. */
export function defaultAllowRecursion(): Cidr[] {
  return DEFAULT_ALLOW_RECURSION.map((text) => blockOf(text, "allow_recursion"));
}

/**
 * Whether questions to an upstream would come back to whoever listens at `listen`: at the same port,
 * and the same address or any of this machine's where one side is a wildcard.
 */
export function leadsToItself(
  upstream: Server,
  listen: { readonly host: string; readonly port: number },
): boolean {
  if (upstream.port !== listen.port) return false;
  if (upstream.hostname === listen.host) return true;
  const own = parseIp(upstream.hostname);
  if (!own.ok) return false;
  const isWildcard = listen.host === "" || listen.host === "0.0.0.0" || listen.host === "::";
  const isUnspecified = upstream.hostname === "0.0.0.0" || upstream.hostname === "::";
  return (isWildcard && isLoopback(own.value)) || isUnspecified;
}
