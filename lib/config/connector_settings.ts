import type { Result } from "../addr/mod.ts";
import {
  boolean,
  checkPath,
  duration,
  filePath,
  integer,
  list,
  parsed,
  secret,
  table,
} from "../schema/mod.ts";
import { hostname, ipOrCidr, listenAddress, MAX_CONNECTIONS } from "../state/mod.ts";
import { parseTrustDomain } from "../x509/mod.ts";
import type { ConnectorConfig } from "./types.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const MAX_PORT = 65_535;
/** What PostgreSQL takes; NAMEDATALEN cuts names at 63 octets. */
const MAX_DATABASE_TEXT = 1_024;

const SQLITE = "sqlite:";

/** `[connector]`; the defaults are those of the flags of `mc-proxy connector`. */
export const connector = table<ConnectorConfig>({
  listen: {
    key: "listen",
    kind: listenAddress(),
    default: ":8443",
    doc: "Where `mc-proxy connector` listens. `mc-proxy server` has `[[listeners]]` for that and " +
      "does not use it, nor the four settings that follow.",
  },
  proxyProtocol: {
    key: "proxy_protocol",
    kind: boolean(),
    default: false,
    doc: "As in `[[listeners]]`, for `listen`.",
  },
  trustedProxies: {
    key: "trusted_proxies",
    kind: list(ipOrCidr()),
    default: [],
    doc: "As in `[[listeners]]`, for `listen`.",
  },
  maxConnections: {
    key: "max_connections",
    kind: integer({ min: 0, max: MAX_CONNECTIONS }),
    default: 0,
    doc: "As in `[[listeners]]`, for `listen`.",
  },
  sendProxyProtocol: {
    key: "send_proxy_protocol",
    kind: boolean(),
    default: false,
    doc: "As in `[[listeners.routes]]`, for `listen`.",
  },
  caCerts: {
    key: "ca_certs",
    kind: list(filePath()),
    required: true,
    doc:
      "The authorities of client certificates, PEM, one or more to a file. To rotate one, name " +
      "both for a while. When one is removed, the sessions of its certificates end. SIGHUP takes " +
      "new names here, in `crls`, `server_cert` and `server_key`.",
  },
  crls: {
    key: "crls",
    kind: list(filePath()),
    default: [],
    doc: "Revocation lists, PEM or DER, signed by those authorities. Sessions of a certificate " +
      "that a new list names end. A list that has expired refuses every client of its issuer; one " +
      "of no authority is ignored.",
  },
  serverCert: {
    key: "server_cert",
    kind: filePath(),
    required: true,
    doc: "The connector's own certificate chain, PEM, for `*.<domain>`. A route's `tls_cert` " +
      "replaces it. `acme`, which is no file: the authority of `[acme]` issues it, by `dns-01`.",
  },
  serverKey: {
    key: "server_key",
    kind: filePath(),
    default: "",
    doc: "Its private key, PEM, not encrypted. Required, unless `server_cert` is `acme`.",
  },
  issuer: {
    key: "issuer",
    kind: parsed("SPIFFE trust domain", parseTrustDomain),
    default: "tinyscale.com",
    doc: "The trust domain that every client's identity must have.",
  },
  domain: {
    key: "domain",
    kind: hostname(),
    default: "connect.tinyscale.com",
    doc: "Hosts are asked for as one label below it. The hostname of an `mtls` route is " +
      "`*.<domain>`, or one such host.",
  },
  defaultPort: {
    key: "default_port",
    kind: integer({ min: 1, max: MAX_PORT }),
    default: 22,
    doc: "The port of hosts whose row names none.",
  },
  allowedNetworks: {
    key: "allowed_networks",
    kind: list(ipOrCidr()),
    default: [],
    doc:
      "Where sessions may be led by the database; backends that a route names are the operator's " +
      "word. Empty: everywhere but to loopback, " +
      "link-local, multicast and reserved addresses and the metadata services of clouds. Such an " +
      'address is reached only if a network names it as closely: `"127.0.0.0/8"` opens loopback, ' +
      '`"0.0.0.0/0"` does not. The proxy\'s own listeners are never reached.',
  },
  db: {
    key: "db",
    kind: parsed('`"postgres"`, or `"sqlite:"` and the path of a file', databaseName),
    default: "postgres",
    doc: "Where hosts, teams and users are. An SQLite file is the connector's own, made where it " +
      "is missing and filled by `mc-proxy connector import`. The address in a host's row " +
      "(`internal_ip_addr`) is where its sessions go, and nowhere else: where it is one of the " +
      "route's `backends`, that one's limit, queue and state hold, and no other is tried. A row " +
      "with `route` in its place leaves it to the route: sessions go to its `backend`, or to one " +
      "of its `backends`.",
  },
  dbHost: {
    key: "db_host",
    kind: parsed("hostname or IP address", databaseText),
    default: "127.0.0.1",
    doc: "PostgreSQL's host.",
  },
  dbPort: {
    key: "db_port",
    kind: integer({ min: 1, max: MAX_PORT }),
    default: 5432,
    doc: "PostgreSQL's port.",
  },
  dbUser: {
    key: "db_user",
    kind: parsed("text", databaseText),
    default: "tinyscale",
    doc: "A role that may SELECT from `backend_hosts`, `teams` and `users`; it needs no more.",
  },
  dbPassword: {
    key: "db_password",
    kind: secret({ maxLength: MAX_DATABASE_TEXT }),
    default: "tinyscale",
    doc: "Its password. Never logged.",
  },
  dbPasswordFile: {
    key: "db_password_file",
    kind: filePath(),
    optional: true,
    doc:
      "A file that holds the password, and at most a newline behind it. Wins over `db_password`.",
  },
  dbName: {
    key: "db_name",
    kind: parsed("text", databaseText),
    default: "tinyscale-ssh",
    doc: "The database on that server.",
  },
  dbTls: {
    key: "db_tls",
    kind: boolean(),
    default: false,
    doc: "Speak TLS to PostgreSQL and verify its certificate. There is no unverified TLS.",
  },
  dbCa: {
    key: "db_ca",
    kind: filePath(),
    optional: true,
    doc: "The authorities to verify it against, PEM. Absent: the public ones.",
  },
  authorizationCacheMs: {
    key: "authorization_cache",
    kind: duration({ min: 0, max: HOUR }),
    default: 5 * SECOND,
    doc: 'How long a yes counts for new sessions of the same user and host. `"0s"`: not at all. ' +
      "A no is never kept.",
  },
  revalidateMs: {
    key: "revalidate",
    kind: duration({ min: 100, max: 24 * HOUR }),
    default: 10 * SECOND,
    doc: "How often live sessions are asked about: one whose right is gone, or whose certificate " +
      "has expired, ends within this time and 2 s. With `deploy/postgres/notify.sql`, and with " +
      "SQLite, changed rows are noticed at once.",
  },
  outageGraceMs: {
    key: "outage_grace",
    kind: duration({ min: 0, max: 24 * HOUR }),
    default: 300 * SECOND,
    doc: "How long live sessions go on while the database does not answer. New ones are refused.",
  },
});

function databaseName(text: string): Result<string> {
  if (text === "postgres") return { ok: true, value: text };
  if (!text.startsWith(SQLITE)) return { ok: false, reason: `neither postgres nor ${SQLITE}PATH` };
  const path = checkPath(text.slice(SQLITE.length));
  return path.ok ? { ok: true, value: text } : path;
}

function databaseText(text: string): Result<string> {
  if (text.includes("\0")) return { ok: false, reason: "it holds a NUL" };
  return text.length > MAX_DATABASE_TEXT
    ? { ok: false, reason: `it is over ${MAX_DATABASE_TEXT} characters` }
    : { ok: true, value: text };
}
