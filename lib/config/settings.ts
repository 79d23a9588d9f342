import { parseBackendEndpoint, type Result } from "../addr/mod.ts";
import { MAX_WORKERS } from "../observe/mod.ts";
import {
  checkPath,
  duration,
  filePath,
  integer,
  list,
  oneOf,
  parsed,
  type RecordKind,
  records,
  table,
} from "../schema/mod.ts";
import { log, MAX_SOCKET_PATH, metrics, serverEndpoint } from "../settings/mod.ts";
import { LISTENER, MAX_LISTENERS } from "../state/mod.ts";
import { acme } from "./acme_settings.ts";
import { bans } from "./ban_settings.ts";
import { connector } from "./connector_settings.ts";
import { firewall } from "./firewall_settings.ts";
import { stateLocal, statePostgres } from "./fleet_settings.ts";
import { l7 } from "./l7_settings.ts";
import { mcns } from "./mcns_settings.ts";
import type { Config } from "./types.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const database = table<Config["database"]>({
  path: {
    key: "path",
    kind: filePath(),
    default: "",
    doc: "The SQLite database. It is created, mode 0600, in a directory that must exist. " +
      "Required, but for `mc-proxy connector`, which keeps its state in memory.",
  },
});

const state = table<Config["state"]>({
  source: {
    key: "source",
    kind: oneOf("database", "file", "postgres"),
    default: "database",
    doc: "Where the truth about listeners, routes, firewall rules and the rate limit is. " +
      "`database`: it is changed at run time, and the file only seeds it. `file`: this file is. " +
      "Each start, SIGHUP and `mcproxyctl reload` make the state equal to it, in one transaction, " +
      "whose author in the audit log is `file`; a file that does not hold changes nothing. What " +
      "the file does not name is not there. At run time nothing but blocks that end on their own " +
      "(`firewall add --ttl`, `[[ban]]`) is taken, and they outlive reloads and restarts. The " +
      "first start after a change from `database` to `file` copies the database beside itself " +
      "before the file replaces what it holds; after a change back, the database holds what the " +
      "file said last. `postgres`: a group of proxies has one truth, in PostgreSQL, and each a " +
      "replica of it in its database, from which it starts and serves when PostgreSQL is away. A " +
      "change may be made at any of them and is in effect at all; without PostgreSQL it is refused, " +
      "but for blocks that end on their own, which are sent later. The first proxy of a group " +
      "brings what its database holds, or else what this file says; any other takes what the " +
      "group has, after a copy of its database beside it.",
  },
  postgres: {
    key: "postgres",
    kind: statePostgres,
    optional: true,
    doc: 'The PostgreSQL of the group (15 or later), for `source = "postgres"`. What it needs is ' +
      "in `deploy/postgres/fleet.sql`.",
  },
  local: {
    key: "local",
    kind: stateLocal,
    optional: true,
    doc: "What tells this proxy from the others of its group.",
  },
});

const grpc = table<NonNullable<Config["grpc"]>>({
  addr: {
    key: "addr",
    kind: parsed("path of a Unix socket", socketPath),
    required: true,
    doc: "The Unix socket of the admin API, created with mode 0600.",
  },
});

const history = table<NonNullable<Config["history"]>>({
  path: {
    key: "path",
    kind: filePath(),
    required: true,
    doc:
      "A SQLite database of its own, created with mode 0600 in a directory that must exist. It " +
      "may be deleted while the program is stopped; nothing else needs it.",
  },
  days: {
    key: "days",
    kind: integer({ min: 1, max: 3650 }),
    default: 7,
    doc: "How long connections are kept, at most.",
  },
  megabytes: {
    key: "megabytes",
    kind: integer({ min: 1, max: 1_048_576 }),
    default: 256,
    doc:
      "How large the database becomes, in MiB: the oldest give way. A connection takes some 200 " +
      "octets; beside it there are up to some 10 MiB that have just been written.",
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
    doc: "How long a connection may carry no octet in either direction before it is closed.",
  },
  shutdownTimeoutMs: {
    key: "shutdown_timeout",
    kind: duration({ min: 0, max: 24 * HOUR }),
    default: 30 * SECOND,
    doc: "How long open connections may go on after SIGTERM or SIGINT.",
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
  sockets: {
    key: "sockets",
    kind: oneOf("auto", "handles", "node"),
    default: "auto",
    doc: "What carries TCP: the runtime's handles, or `node:net`, which takes several times the " +
      "processor time. `auto`: the handles, if a few connections over the loopback interface at " +
      "start show that they work.",
  },
  memoryLimitMib: {
    key: "memory_limit_mib",
    kind: integer({ min: 0, max: 16_777_216 }),
    default: 0,
    doc:
      "Resident memory that the process may use, in MiB; what systemd's `MemoryMax` says, or less. " +
      "From 85 % of it on, new connections are reset, more and more of them, so that open ones do " +
      "not suffer. 0: any amount.",
  },
});

const resolver = table<Config["resolver"]>({
  servers: {
    key: "servers",
    kind: list(parsed('`"IP"`, `"IPv4:port"` or `"[IPv6]:port"`', serverEndpoint)),
    default: [],
    doc:
      "Name servers to ask, in this order. Empty: those of `/etc/resolv.conf`, whose search list " +
      "and options count in any case.",
  },
});

/**
 * Every setting that there is. A new one of the process is a property in `types.ts` and an entry
 * here: its name in the file, its kind with bounds, its default, and the text for `docs/config.md`.
 * One of listeners, routes or policies is an entry in lib/state. A new section is a `table()` above
 * and an entry below. Checks over several settings or files are in `checks.ts`.
 */
export const SETTINGS: RecordKind<Config> = table<Config>({
  database: {
    key: "database",
    kind: database,
    section: true,
    doc: "Where listeners, routes and firewall rules are kept.",
  },
  state: { key: "state", kind: state, section: true, doc: "Who may change what is served." },
  listeners: {
    key: "listeners",
    kind: records(LISTENER, { maxLength: MAX_LISTENERS }),
    default: [],
    doc: "An address to accept connections at. Listeners, their routes and the lists of " +
      "`[firewall]` are written to a database that has never held a listener or a firewall rule. " +
      "From then on the database is the truth, and they are checked but not used, even when " +
      "everything has been removed from it; unless `state.source` is `file`.",
  },
  grpc: { key: "grpc", kind: grpc, optional: true, doc: "The admin API. Absent: there is none." },
  firewall: {
    key: "firewall",
    kind: firewall,
    section: true,
    doc: "Who is refused before anything is read. The three lists seed the database as " +
      "`[[listeners]]` does; the other settings are read at each start.",
  },
  bans: {
    key: "ban",
    kind: bans,
    default: [],
    doc:
      "Who is banned without anybody's doing: a source address (IPv6: `ipv6_prefix`) that does " +
      "what is named gets a rule of the firewall, which ends on its own, is in the audit log " +
      "with the author `auto`, and is removed like any other rule. What rules allow and what " +
      "`trusted_proxies` names is never banned. At most 10,000 bans are in force at once. Where a " +
      "listener takes PROXY headers the source is the client that the header names, and for " +
      "`proxy_invalid` the peer.",
  },
  history: {
    key: "history",
    kind: history,
    optional: true,
    doc: "Which connections were served and refused, for `mcproxyctl history` and for trying " +
      "changes on them: addresses of clients, the names they asked for, how it ended. Refusals of " +
      "one second that are alike are kept as one with their number. A thread of its own writes " +
      "it; what that does not keep up with is not kept, and counted. Absent: none.",
  },
  proxy: { key: "proxy", kind: proxy, section: true, doc: "Deadlines of proxied connections." },
  resolver: {
    key: "resolver",
    kind: resolver,
    section: true,
    doc:
      "How names of backends are resolved: by `/etc/hosts`, then by name servers. Answers are kept " +
      "as long as they hold, and for up to a day more while no server answers.",
  },
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
  acme: {
    key: "acme",
    kind: acme,
    optional: true,
    doc: 'Certificates from an authority (ACME), for routes with `tls_cert = "acme"`: they are ' +
      "ordered, kept in the database and renewed without anybody's doing. Until the first one " +
      "is there, connections to the route are refused.",
  },
  mcns: {
    key: "mcns",
    kind: mcns,
    optional: true,
    doc:
      "The name server beside the proxy (docs/mcns.md), whose records it may change over REST: " +
      'for `challenge = "dns-01"`, for records of a state that is applied, and for those that are ' +
      "made of routes. Absent: there is none.",
  },
  metrics: {
    key: "metrics",
    kind: metrics,
    optional: true,
    doc: "Measurements in Prometheus' text format, over HTTP. Absent: there are none.",
  },
});

/** The admin API is for whoever may open a file, and never for a network. */
function socketPath(text: string): Result<string> {
  if (!text.includes("/") && parseBackendEndpoint(text.replace(/^:/, "localhost:")).ok) {
    const reason = "it is an address, and the admin API is a Unix socket, such as " +
      '"/srv/mc-proxy/mc-proxy.sock"';
    return { ok: false, reason };
  }
  return checkPath(text, MAX_SOCKET_PATH);
}
