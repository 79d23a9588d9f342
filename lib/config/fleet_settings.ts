import type { Result } from "../addr/mod.ts";
import {
  boolean,
  duration,
  filePath,
  integer,
  isTable,
  type Kind,
  parsed,
  quote,
  table,
} from "../schema/mod.ts";
import { listenAddress, type NamedFile, parseName } from "../state/mod.ts";
import type { NamedAddress, StateLocalConfig, StatePostgresConfig } from "./types.ts";

const MAX_PORT = 65_535;
/** What PostgreSQL takes; NAMEDATALEN cuts names at 63 octets. */
const MAX_TEXT = 1_024;

/** `[state.postgres]` */
export const statePostgres = table<StatePostgresConfig>({
  host: {
    key: "host",
    kind: parsed("hostname or IP address", shortText),
    default: "127.0.0.1",
    doc: "PostgreSQL's host.",
  },
  port: {
    key: "port",
    kind: integer({ min: 1, max: MAX_PORT }),
    default: 5432,
    doc: "PostgreSQL's port.",
  },
  user: {
    key: "user",
    kind: parsed("text", shortText),
    required: true,
    doc:
      "A role of this proxy alone, which `mc_proxy_fleet.admit()` has let into the group. It can " +
      "read no other group.",
  },
  passwordFile: {
    key: "password_file",
    kind: filePath(),
    optional: true,
    doc:
      "A file that holds its password, and at most a newline behind it. Absent: the role needs " +
      "none.",
  },
  database: {
    key: "database",
    kind: parsed("text", shortText),
    default: "mc-proxy",
    doc: "The database on that server.",
  },
  tls: {
    key: "tls",
    kind: boolean(),
    default: true,
    doc:
      "Speak TLS to PostgreSQL and verify its certificate. There is no unverified TLS; `false` is " +
      "for a server on this machine.",
  },
  ca: {
    key: "ca",
    kind: filePath(),
    optional: true,
    doc: "The authorities to verify it against, PEM. Absent: the public ones.",
  },
  cert: {
    key: "cert",
    kind: filePath(),
    optional: true,
    doc: "The certificate by which PostgreSQL knows this proxy, PEM. Needs `key`.",
  },
  key: {
    key: "key",
    kind: filePath(),
    optional: true,
    doc: "Its private key, PEM, not encrypted.",
  },
  group: {
    key: "group",
    kind: parsed("name of a group", parseName),
    required: true,
    doc: "Which group this proxy belongs to.",
  },
  shareHealth: {
    key: "share_health",
    kind: boolean(),
    default: true,
    doc:
      "Each backend is checked by two proxies of the group, and the others take over what these find. " +
      "That it fails is confirmed by a check of their own, so that a proxy that is cut off takes it down " +
      "nowhere else. Without PostgreSQL, and with `false`, this proxy checks all backends itself. For " +
      "proxies that reach a backend in different ways: `false`.",
  },
  shareLimits: {
    key: "share_limits",
    kind: boolean(),
    default: true,
    doc:
      "Rate limits (`firewall.rate_limit`, and those of routes) hold over all proxies of the group " +
      "together: each second they tell each other whom they have let in. Over any time a client gets the " +
      "limit for each window that it takes; what all of them let in beyond that before they have heard " +
      "of each other, at most the limit at each, is waited off. A proxy that is cut off from PostgreSQL " +
      "keeps to its share, the limit divided by the proxies that it knew of. `false`: each proxy has the " +
      "limits for itself.",
  },
  shareCertificates: {
    key: "share_certificates",
    kind: boolean(),
    default: false,
    doc:
      "Share certificates with the other proxies of the group, and the account at the authority: " +
      "one orders for all, and a proxy without the files of a `tls_cert` and `tls_key` uses those of " +
      "one that has them. They go through PostgreSQL sealed. Needs `share_key_file`, and the same " +
      "at every proxy. Off: each has its own, and orders them one after the other.",
  },
  shareKeyFile: {
    key: "share_key_file",
    kind: filePath(),
    optional: true,
    doc: "The key that they are sealed with, which PostgreSQL never sees: 32 octets in base64, " +
      "in a file that is readable for its owner alone (mode 0600). While keys are " +
      "exchanged it holds two, a line each: with the first one is sealed, both open.",
  },
});

/** `[state.local]` */
export const stateLocal = table<StateLocalConfig>({
  name: {
    key: "name",
    kind: parsed("name of a proxy", parseName),
    required: true,
    doc:
      "How this proxy is called: in the audit log of the group, and by `mcproxyctl fleet`. No two " +
      "proxies of a group may have the same.",
  },
  maxLagMs: {
    key: "max_lag",
    kind: duration({ min: 0, max: 24 * 3_600_000 }),
    default: 0,
    doc:
      "After so long without having caught up with its group, for example because PostgreSQL is " +
      'away, the proxy is not healthy. `"0s"`: that it lags is a warning.',
  },
  listeners: {
    key: "listeners",
    kind: namedAddresses(),
    default: [],
    doc:
      "Where this proxy has the listeners of the group that have a name instead of an address, " +
      'such as `edge="192.0.2.1:443"`. Here such a listener has this address; to the group ' +
      "it has the name, so that each proxy may have it elsewhere; `mcproxyctl` takes either.",
  },
  files: {
    key: "files",
    kind: namedFiles(),
    default: [],
    doc: "Where this proxy has the files that the state of the group names, such as " +
      '`site-cert="/etc/mc-proxy/site.pem"` for `tls_cert = "file:site-cert"`. A file that is ' +
      "named and not said here is one that is missing: what needs it is not served, and " +
      "`mcproxyctl fleet list` says so. A path in the state is the same at every proxy. Read " +
      "again with the file, without a restart.",
  },
});

function shortText(text: string): Result<string> {
  if (text.includes("\0")) return { ok: false, reason: "it holds a NUL" };
  return text.length > MAX_TEXT
    ? { ok: false, reason: `it is over ${MAX_TEXT} characters` }
    : { ok: true, value: text };
}

/** A table of names and addresses. */
function namedAddresses(): Kind<readonly NamedAddress[]> {
  return named({
    kind: listenAddress(),
    things: "addresses",
    entry: (name, addr): NamedAddress => ({ name, addr }),
    valueOf: ({ addr }) => addr,
    // Two names of one listener would be two listeners at one address.
    repeated: "repeats an address",
  });
}

/** A table of names and paths. */
function namedFiles(): Kind<readonly NamedFile[]> {
  return named({
    kind: filePath(),
    things: "paths",
    entry: (name, path): NamedFile => ({ name, path }),
    valueOf: ({ path }) => path,
  });
}

/** A table of names and what they stand for here. */
function named<T extends { readonly name: string }>(
  { kind, things, entry, valueOf, repeated }: {
    readonly kind: Kind<string>;
    /** What they stand for, in the plural. */
    readonly things: string;
    readonly entry: (name: string, value: string) => T;
    readonly valueOf: (entry: T) => string;
    /** What is said of a second name of the same; absent: there may be one. */
    readonly repeated?: string;
  },
): Kind<readonly T[]> {
  return {
    form: "records",
    doc: `table of names, each with ${kind.doc}`,
    empty: [],
    read: (value, { path, report }) => {
      if (!isTable(value)) {
        report.problem(path, `is not a table of names and ${things}`);
        return [];
      }
      const found: T[] = [];
      for (const [name, text] of Object.entries(value)) {
        const at = [...path, name];
        const checked = parseName(name);
        const here = kind.read(text, { path: at, report });
        if (!checked.ok) report.problem(at, `${quote(name)} is invalid: ${checked.reason}`);
        else if (repeated !== undefined && found.some((it) => valueOf(it) === here)) {
          report.problem(at, repeated);
        } else if (here !== "") found.push(entry(name, here));
      }
      return found;
    },
    check: (values) => values,
    show: (values) =>
      values.length === 0
        ? "{}"
        : `{ ${values.map((it) => `${it.name} = ${quote(valueOf(it))}`).join(", ")} }`,
  };
}
