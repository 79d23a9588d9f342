import { DEFAULT_ALLOW_RECURSION, DEFAULT_FORWARD_LIMITS } from "../dns_forward/mod.ts";
import { MAX_CONNECTIONS_PER_SOURCE, MAX_RATE_LIMIT } from "../firewall/mod.ts";
import {
  boolean,
  duration,
  filePath,
  integer,
  list,
  parsed,
  records,
  size,
  table,
} from "../schema/mod.ts";
import { serverEndpoint } from "../settings/mod.ts";
import { ipOrCidr, listenAddress, MAX_CONNECTIONS } from "../state/mod.ts";
import type {
  CacheConfig,
  CookieConfig,
  DnsConfig,
  DnsLimits,
  DotConfig,
  ForwardConfig,
  RrlConfig,
} from "./types.ts";
import { secondary } from "./secondary_settings.ts";
import { key, zone, zoneName } from "./zone_settings.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KIB = 1024;
const MIB = 1024 * KIB;

/** More than anybody writes. */
const MAX_LIST = 1000;

const servers = () =>
  list(parsed('`"IP"`, `"IPv4:port"` or `"[IPv6]:port"`', serverEndpoint), {
    maxLength: MAX_LIST,
  });

const forward = table<ForwardConfig>({
  zone: {
    key: "zone",
    kind: parsed("name of a zone", zoneName),
    required: true,
    doc: "The names at and below it. Of several the longest counts; zones of our own come first.",
  },
  upstreams: {
    key: "upstreams",
    kind: servers(),
    required: true,
    doc: "The servers that are asked, in this order, at port 53 unless they say otherwise.",
  },
});

const cache = table<CacheConfig>({
  size: {
    key: "size",
    kind: size({ min: 64 * KIB, max: 16 * 1024 * MIB }),
    default: DEFAULT_FORWARD_LIMITS.cacheOctets,
    doc:
      "Octets that kept answers may take, at each address; those that were not asked for longest give way.",
  },
  serveStaleMs: {
    key: "serve_stale",
    kind: duration({ min: 0, max: 7 * DAY }),
    default: DEFAULT_FORWARD_LIMITS.staleSeconds * SECOND,
    doc: "How long an answer that is too old is given all the same while no upstream answers " +
      '(RFC 8767). `"0s"`: not at all.',
  },
});

const rrl = table<RrlConfig>({
  responsesPerSecond: {
    key: "responses_per_second",
    kind: integer({ min: 0, max: MAX_RATE_LIMIT }),
    default: 200,
    doc: "Answers a second to one prefix, over UDP and without a cookie. 0: any number.",
  },
  slip: {
    key: "slip",
    kind: integer({ min: 0, max: 100 }),
    default: 2,
    doc:
      "Of the answers over the limit each so manieth is sent after all, empty and truncated, so " +
      "that an honest client comes again over TCP. 0: none, 1: all.",
  },
  ipv4Prefix: {
    key: "ipv4_prefix",
    kind: integer({ min: 8, max: 32 }),
    default: 24,
    doc: "Which IPv4 addresses are one: as many bits of them.",
  },
  ipv6Prefix: {
    key: "ipv6_prefix",
    kind: integer({ min: 32, max: 64 }),
    default: 56,
    doc: "Which IPv6 addresses are one.",
  },
  exempt: {
    key: "exempt",
    kind: list(ipOrCidr(), { maxLength: MAX_LIST }),
    default: ["127.0.0.0/8", "::1/128"],
    doc:
      "Addresses and blocks that are not limited: resolvers of your own. By default those of this " +
      "machine, which nobody else can forge.",
  },
});

const cookies = table<CookieConfig>({
  enabled: {
    key: "enabled",
    kind: boolean(),
    default: true,
    doc: "Whether clients are given cookies (RFC 7873), by which they show that their address is " +
      "theirs. Whoever shows one is not limited by `[dns.rrl]`.",
  },
  secretFile: {
    key: "secret_file",
    kind: filePath(),
    optional: true,
    doc: "Holds 32 hexadecimal digits, the secret of the cookies (RFC 9018): the same on all " +
      "servers behind one address. Absent: each start makes one of its own, and clients learn new " +
      "cookies.",
  },
});

const limits = table<DnsLimits>({
  udpPayload: {
    key: "udp_payload",
    kind: integer({ min: 512, max: 4096 }),
    default: 1232,
    doc: "Octets of an answer over UDP at most: what every network passes on in one piece (DNS " +
      "flag day 2020). What is longer is asked for again over TCP.",
  },
  tcpConnections: {
    key: "tcp_connections",
    kind: integer({ min: 1, max: MAX_CONNECTIONS }),
    default: 1000,
    doc: "Connections that may be open at one time, at each address. One more takes the place of " +
      "the one that has been silent longest.",
  },
  tcpPerSource: {
    key: "tcp_per_source",
    kind: integer({ min: 1, max: MAX_CONNECTIONS_PER_SOURCE }),
    default: 32,
    doc: "Connections that one address (IPv6: one /64) may have open at one time.",
  },
  tcpIdleMs: {
    key: "tcp_idle",
    kind: duration({ min: 100, max: HOUR }),
    default: 10 * SECOND,
    doc: "How long a connection may be open without a whole question, and how long an answer may " +
      "wait to be read.",
  },
  tcpPipeline: {
    key: "tcp_pipeline",
    kind: integer({ min: 1, max: 1000 }),
    default: 64,
    doc: "Questions of one connection that are being answered at one time; further ones are read " +
      "when there is room.",
  },
});

const dot = table<DotConfig>({
  listenAddr: {
    key: "listen_addr",
    kind: listenAddress(),
    default: ":853",
    doc: "Where DNS over TLS is served.",
  },
  tlsCert: {
    key: "tls_cert",
    kind: filePath(),
    required: true,
    doc: "The certificate and those that it needs, PEM. SIGHUP reads it again.",
  },
  tlsKey: { key: "tls_key", kind: filePath(), required: true, doc: "Its key, PEM." },
});

/** `[dns]`. */
export const dns = table<DnsConfig>({
  listenAddr: {
    key: "listen_addr",
    kind: listenAddress(),
    default: ":53",
    doc:
      "Where questions are answered, over UDP and TCP. `:53` is every address that this machine " +
      "has when the program starts, each with a socket of its own, so that answers come from the " +
      "address that was asked.",
  },
  listenAlsoAt: {
    key: "listen_also_at",
    kind: list(listenAddress(), { maxLength: MAX_LIST }),
    default: [],
    doc: "Further addresses.",
  },
  upstreams: {
    key: "upstreams",
    kind: servers(),
    default: [],
    doc: "The servers that know everything else, in this order, at port 53 unless they say " +
      "otherwise. Empty: names of other zones are refused.",
  },
  trustedUpstreams: {
    key: "trusted_upstreams",
    kind: servers(),
    default: [],
    doc: "Those of them, and of `[[dns.forward]]`, that validate and are reached over a network " +
      "that nobody else writes to: their AD flag is passed on.",
  },
  allowRecursion: {
    key: "allow_recursion",
    kind: list(ipOrCidr(), { maxLength: MAX_LIST }),
    default: DEFAULT_ALLOW_RECURSION,
    doc: "Who is told of names of other zones; everybody else is refused.",
  },
  forward: {
    key: "forward",
    kind: records(forward, { maxLength: MAX_LIST }),
    default: [],
    doc: "Zones that servers of their own know (split DNS).",
  },
  keys: {
    key: "keys",
    kind: records(key, { maxLength: MAX_LIST }),
    default: [],
    doc: "Keys that are shared with other servers and clients (TSIG).",
  },
  zones: {
    key: "zones",
    kind: records(zone, { maxLength: MAX_LIST }),
    default: [],
    doc: "What zones of the database are served with beside their records.",
  },
  secondary: {
    key: "secondary",
    kind: records(secondary, { maxLength: MAX_LIST }),
    default: [],
    doc: "Zones that other servers have first.",
  },
  cache: { key: "cache", kind: cache, section: true, doc: "Answers of other servers." },
  rrl: {
    key: "rrl",
    kind: rrl,
    section: true,
    doc: "What a forged source address is worth. Answers over TCP and to a valid cookie are not " +
      "limited.",
  },
  cookies: { key: "cookies", kind: cookies, section: true, doc: "DNS cookies." },
  limits: { key: "limits", kind: limits, section: true, doc: "What one client may take." },
  dot: {
    key: "dot",
    kind: dot,
    optional: true,
    doc: "DNS over TLS (RFC 7858), under the same limits as TCP. Absent: there is none.",
  },
  shutdownTimeoutMs: {
    key: "shutdown_timeout",
    kind: duration({ min: 0, max: HOUR }),
    default: 5 * SECOND,
    doc: "How long questions may go on being answered after SIGTERM or SIGINT.",
  },
});
