import {
  formatEndpoint,
  parseBackendEndpoint,
  parseHostname,
  parseHostPattern,
  parseListenEndpoint,
  type Result,
} from "../addr/mod.ts";
import { MAX_WORKERS } from "../observe/mod.ts";
import { type FirewallRule, MAX_RATE_LIMIT, parseFirewallRule } from "../firewall/mod.ts";
import { BACKEND_PROTOCOLS, L7_POLICY_TYPES } from "../routes/mod.ts";
import { boolean, checkPath, duration, filePath, integer, list, oneOf, parsed } from "./kinds.ts";
import { type Kind, table, type TableKind, tables } from "./schema.ts";
import { canonical, ipOrCidr } from "./canonical.ts";
import { connector } from "./connector_settings.ts";
import { l7 } from "./l7_settings.ts";
import type { Config, ListenerSeed, PolicySeed, RouteSeed } from "./types.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** More than one host can hold open, so that a slip of the keyboard is noticed. */
const MAX_CONNECTIONS = 10_000_000;
/** `sun_path` of Linux's unix(7) is 108 bytes with the final NUL. */
const MAX_SOCKET_PATH = 107;

const database = table<Config["database"]>({
  path: {
    key: "path",
    kind: filePath(),
    default: "",
    doc: "The SQLite database. It is created, mode 0600, in a directory that must exist. " +
      "Required, but for `mc-proxy connector`, which keeps its state in memory.",
  },
});

const policies = tables<PolicySeed>({
  type: {
    key: "type",
    kind: oneOf(...L7_POLICY_TYPES),
    required: true,
    doc:
      "`block_user_agent` refuses requests whose `User-Agent` contains the value, in any case. " +
      "`require_header` refuses those without a header field of that name.",
  },
  value: {
    key: "value",
    kind: parsed("text, or `/regex/` in RE2's syntax for `block_user_agent`", anyText),
    required: true,
    doc: "What to look for.",
  },
});

const routes = tables<RouteSeed>({
  hostname: {
    key: "hostname",
    kind: parsed("hostname or `*.` and a hostname", hostPattern),
    required: true,
    doc: "The name that clients ask for (SNI). `*.example.net` stands for every name below " +
      "`example.net`, at any depth, but not for `example.net`. An exact name wins over a " +
      "wildcard, and a longer wildcard over a shorter one.",
  },
  backend: {
    key: "backend",
    kind: parsed('`"host:port"`', (text) => canonical(parseBackendEndpoint(text), formatEndpoint)),
    default: "",
    doc: "Where connections go: an IP address or a name, which is looked up for each connection. " +
      "Required, but for `mtls` routes, whose authoriser names the host.",
  },
  mode: {
    key: "mode",
    kind: oneOf("l4", "l7", "mtls"),
    default: "l4",
    doc: "`l4` relays the bytes as they are, TLS and all. `l7` terminates TLS and proxies HTTP. " +
      "`mtls` demands a client certificate and asks a database whether its owner may pass.",
  },
  tlsCert: {
    key: "tls_cert",
    kind: filePath(),
    default: "",
    doc: "The certificate chain, PEM, the server's own certificate first. Required for `l7`; it " +
      "must exist and belong to `tls_key` when the program starts. For `mtls` it replaces that of " +
      "the connector. Unused for `l4`.",
  },
  tlsKey: {
    key: "tls_key",
    kind: filePath(),
    default: "",
    doc: "The private key, PEM, not encrypted. Required for `l7`. Unused for `l4`.",
  },
  backendTls: {
    key: "backend_tls",
    kind: boolean(),
    default: false,
    doc: "Speak TLS to the backend of an `l7` route. Ignored for `l4`.",
  },
  sendProxyProtocol: {
    key: "send_proxy_protocol",
    kind: boolean(),
    default: false,
    doc: "Begin each connection to the backend with a PROXY protocol v2 header that holds the " +
      "client's address. An `l7` route then opens connections for each client of its own.",
  },
  backendProtocol: {
    key: "backend_protocol",
    kind: oneOf(...BACKEND_PROTOCOLS),
    optional: true,
    doc:
      "What the backend of an `l7` route speaks. `auto`, which is also what an absent key means, " +
      "tries HTTP/2 and goes over to HTTP/1.1 if the backend does not speak it.",
  },
  backendTlsVerify: {
    key: "backend_tls_verify",
    kind: boolean(),
    optional: true,
    doc:
      "Check the certificate of a backend with `backend_tls`. Off by default: the operator names " +
      "the address, and backends inside a private network rarely have a public certificate.",
  },
  backendCa: {
    key: "backend_ca",
    kind: filePath(),
    optional: true,
    doc: "The authorities to check it against, PEM. Absent: those of the system.",
  },
  backendServerName: {
    key: "backend_server_name",
    kind: parsed("hostname", parseHostname),
    optional: true,
    doc: "The name to ask the backend for (SNI) and to check. Absent: the host of `backend`.",
  },
  policies: {
    key: "policies",
    kind: policies,
    optional: true,
    doc: "What requests of an `l7` route have to pass; others are answered 403. They seed the " +
      "database.",
  },
});

const listeners = tables<ListenerSeed>({
  addr: {
    key: "addr",
    kind: parsed(
      '`":port"`, `"IPv4:port"` or `"[IPv6]:port"`',
      (text) => canonical(parseListenEndpoint(text), formatEndpoint),
    ),
    required: true,
    doc: 'Where to listen. `":443"` is every IPv4 and IPv6 address. Port 0 is any free port.',
  },
  proxyProtocol: {
    key: "proxy_protocol",
    kind: boolean(),
    default: false,
    doc: "Connections begin with a PROXY protocol header, v1 or v2. Those that do not are reset. " +
      "When `false` a header is never looked for.",
  },
  maxConnections: {
    key: "max_connections",
    kind: integer({ min: 0, max: MAX_CONNECTIONS }),
    default: 0,
    doc: "Connections open at one time; more wait in the kernel's queue. 0: no limit.",
  },
  trustedProxies: {
    key: "trusted_proxies",
    kind: list(parsed("IP address or CIDR block", ipOrCidr)),
    default: [],
    doc: "The peers that may send a PROXY protocol header; connections of others are reset. " +
      "Empty: any peer. Needs `proxy_protocol`.",
  },
  routes: {
    key: "routes",
    kind: routes,
    default: [],
    doc: "A hostname and where its connections go.",
  },
});

const grpc = table<NonNullable<Config["grpc"]>>({
  addr: {
    key: "addr",
    kind: filePath({ maxBytes: MAX_SOCKET_PATH }),
    required: true,
    doc: "The Unix socket of the admin API, created with mode 0600.",
  },
});

const firewall = table<Config["firewall"]>({
  geoipDb: {
    key: "geoip_db",
    kind: filePath(),
    optional: true,
    doc: "A MaxMind database (`.mmdb`) with countries. Required for `blocked_countries`. " +
      "SIGHUP reads it again.",
  },
  blockedIps: {
    key: "blocked_ips",
    kind: list(rule("ip", "IP address")),
    default: [],
    doc: "Addresses whose connections are reset. Seeds the database.",
  },
  blockedCidrs: {
    key: "blocked_cidrs",
    kind: list(rule("cidr", "CIDR block")),
    default: [],
    doc: "Blocks of addresses whose connections are reset. Seeds the database.",
  },
  blockedCountries: {
    key: "blocked_countries",
    kind: list(rule("country", "two-letter country code (ISO 3166-1)")),
    default: [],
    doc: "Countries whose connections are reset. Seeds the database.",
  },
  rateLimit: {
    key: "rate_limit",
    kind: integer({ min: 0, max: MAX_RATE_LIMIT }),
    default: 0,
    doc: "New connections per source address (IPv6: per /64) in each `rate_window`; more are " +
      "reset. 0: off.",
  },
  rateWindowMs: {
    key: "rate_window",
    kind: duration({ min: 100, max: 24 * HOUR }),
    default: 10 * SECOND,
    doc: "The window of `rate_limit`.",
  },
});

const proxy = table<Config["proxy"]>({
  connectTimeoutMs: {
    key: "connect_timeout",
    kind: duration({ min: 10, max: 5 * MINUTE }),
    default: 5 * SECOND,
    doc: "How long a connection to a backend may take, over all its addresses.",
  },
  idleTimeoutMs: {
    key: "idle_timeout",
    kind: duration({ min: 100, max: 7 * 24 * HOUR }),
    default: 300 * SECOND,
    doc: "How long a connection may carry no byte in either direction before it is closed.",
  },
  shutdownTimeoutMs: {
    key: "shutdown_timeout",
    kind: duration({ min: 0, max: 24 * HOUR }),
    default: 30 * SECOND,
    doc: "How long open connections may go on after SIGTERM or SIGINT.",
  },
});

const log = table<Config["log"]>({
  level: {
    key: "level",
    kind: oneOf("debug", "info", "warn", "error"),
    default: "info",
    doc: "The least severe events that are written.",
  },
  format: {
    key: "format",
    kind: oneOf("text", "json"),
    default: "text",
    doc: "One line of text, or one JSON object, for each event.",
  },
});

const server = table<Config["server"]>({
  workers: {
    key: "workers",
    kind: integer({ min: 0, max: MAX_WORKERS }),
    optional: true,
    doc: "Threads that carry connections. Absent: one for each core. 0: none, the main thread " +
      "does it all, for debugging.",
  },
});

const metrics = table<NonNullable<Config["metrics"]>>({
  addr: {
    key: "addr",
    kind: parsed(
      '`":port"`, `"IPv4:port"`, `"[IPv6]:port"` or the path of a Unix socket',
      (text) =>
        text.includes("/")
          ? checkPath(text, MAX_SOCKET_PATH)
          : canonical(parseListenEndpoint(text), formatEndpoint),
    ),
    required: true,
    doc: "Where Prometheus finds `/metrics`, and a load balancer `/healthz`. Whoever reaches the " +
      "address may read them, so it should be a loopback or internal one. A value with a slash is " +
      "a Unix socket, created with mode 0600.",
  },
});

/**
 * Every setting that there is. A new one is a property in `types.ts` and an entry here: its name in
 * the file, its kind with bounds, its default, and the text for `docs/config.md`. A new section is a
 * `table()` above and an entry below. Checks over several settings or files are in `checks.ts`.
 */
export const SETTINGS: TableKind<Config> = table<Config>({
  database: {
    key: "database",
    kind: database,
    section: true,
    doc: "Where listeners, routes and firewall rules are kept.",
  },
  listeners: {
    key: "listeners",
    kind: listeners,
    default: [],
    doc: "An address to accept connections at. Listeners, their routes and the lists of " +
      "`[firewall]` are written to a database that has never held a listener or a firewall rule. " +
      "From then on the database is the truth, and they are checked but not used, even when " +
      "everything has been removed from it.",
  },
  grpc: { key: "grpc", kind: grpc, optional: true, doc: "The admin API. Absent: there is none." },
  firewall: {
    key: "firewall",
    kind: firewall,
    section: true,
    doc: "Who is refused before anything is read. The three lists seed the database as " +
      "`[[listeners]]` does; the other settings are read at each start.",
  },
  proxy: { key: "proxy", kind: proxy, section: true, doc: "Deadlines of proxied connections." },
  l7: { key: "l7", kind: l7, section: true, doc: "HTTP, for all `l7` routes." },
  log: { key: "log", kind: log, section: true, doc: "What is written to standard error, and how." },
  server: { key: "server", kind: server, section: true, doc: "The process itself." },
  connector: {
    key: "connector",
    kind: connector,
    optional: true,
    doc: 'The mTLS connector, for routes with `mode = "mtls"` and for the command ' +
      "`mc-proxy connector`, whose flags are named like these settings and win over them. A " +
      "client proves with its certificate who it is, `spiffe://<issuer>/orgs/<org>/users/<user>`, " +
      "and names by SNI the host it wants, `<connect_id>.<domain>`; the database says whether " +
      "it may. Files are read again when they change.",
  },
  metrics: {
    key: "metrics",
    kind: metrics,
    optional: true,
    doc: "Measurements in Prometheus' text format, over HTTP. Absent: there are none.",
  },
});

function rule(type: FirewallRule["type"], doc: string): Kind<string> {
  return parsed(doc, (text) => parseFirewallRule(type, text));
}

/** What it may be depends on the type next to it; see `checkPolicies`. */
function anyText(text: string): Result<string> {
  return { ok: true, value: text };
}

function hostPattern(text: string): Result<string> {
  return canonical(
    parseHostPattern(text),
    ({ wildcard, name }) => wildcard ? `*.${name}` : name,
  );
}
