import type { Result } from "../addr/mod.ts";
import { checkPath, filePath, list, parsed, prose, type RecordKind, table } from "../schema/mod.ts";
import { httpsUrl, log, metrics } from "../settings/mod.ts";
import { listenAddress } from "../state/mod.ts";
import { dns } from "./dns_settings.ts";
import type { AuthConfig, ManagementConfig, McIasConfig, McnsConfig } from "./types.ts";

const MAX_LIST = 1000;
const MAX_TEXT = 256;

const NO_FILE: Result<string> = { ok: true, value: "" };

const server = table<ManagementConfig>({
  listenAddr: {
    key: "listen_addr",
    kind: listenAddress(),
    optional: true,
    doc: "Where REST is served. Absent: it is not.",
  },
  grpcAddr: {
    key: "grpc_addr",
    kind: listenAddress(),
    optional: true,
    doc: "Where gRPC is served. Absent: it is not.",
  },
  tlsCert: {
    key: "tls_cert",
    kind: filePath(),
    required: true,
    doc: "The certificate of both and those that it needs, PEM. SIGHUP reads it again.",
  },
  tlsKey: { key: "tls_key", kind: filePath(), required: true, doc: "Its key, PEM." },
});

const database = table<McnsConfig["database"]>({
  path: {
    key: "path",
    kind: filePath(),
    required: true,
    doc: "The SQLite database. It is created, mode 0600, in a directory that must exist.",
  },
});

const mcias = table<McIasConfig>({
  serverUrl: {
    key: "server_url",
    kind: parsed("an https URL", httpsUrl),
    required: true,
    doc: "The server that knows whose tokens they are, asked by RFC 7662.",
  },
  caCert: {
    key: "ca_cert",
    // Written as empty where there is none.
    kind: parsed("path of a file", (text) => text === "" ? NO_FILE : checkPath(text)),
    default: "",
    doc: "Authorities of that server's certificate, PEM. Empty: those of the runtime.",
  },
  serviceName: {
    key: "service_name",
    kind: prose({ maxLength: MAX_TEXT }),
    default: "mcns",
    doc: "What this service is called there.",
  },
  tags: {
    key: "tags",
    kind: list(prose({ maxLength: MAX_TEXT }), { maxLength: MAX_LIST }),
    default: [],
    doc: "Tags of this service there, which its rules may speak of.",
  },
});

const auth = table<AuthConfig>({
  tokenHashes: {
    key: "token_hashes",
    kind: list(parsed('`"sha256:"` and 64 hexadecimal digits', tokenHash), { maxLength: MAX_LIST }),
    default: [],
    doc: 'SHA-256 of each token that may do everything, as `printf %s "$TOKEN" | sha256sum` says ' +
      "it. The token itself is nowhere.",
  },
});

/** Every setting of `mcns.toml`; a new one is a property in `types.ts` and an entry here. */
export const SETTINGS: RecordKind<McnsConfig> = table<McnsConfig>({
  server: {
    key: "server",
    kind: server,
    optional: true,
    doc: "Management over the network, always over TLS. Absent: there is none.",
  },
  database: { key: "database", kind: database, section: true, doc: "Where zones are kept." },
  dns: { key: "dns", kind: dns, section: true, doc: "The name server." },
  mcias: {
    key: "mcias",
    kind: mcias,
    optional: true,
    doc: "Where bearer tokens are checked that `[auth]` does not know. Absent: nowhere.",
  },
  auth: { key: "auth", kind: auth, section: true, doc: "Bearer tokens that are known here." },
  log: { key: "log", kind: log, section: true, doc: "What is written to standard error, and how." },
  metrics: {
    key: "metrics",
    kind: metrics,
    optional: true,
    doc: "Measurements in Prometheus' text format, over HTTP. Absent: there are none.",
  },
});

function tokenHash(text: string): Result<string> {
  const [, digits] = /^sha256:([0-9a-fA-F]{64})$/.exec(text) ?? [];
  if (digits === undefined) return { ok: false, reason: "not sha256: and 64 hexadecimal digits" };
  return { ok: true, value: `sha256:${digits.toLowerCase()}` };
}
