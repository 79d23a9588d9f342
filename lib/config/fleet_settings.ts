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
import { listenAddress } from "../state/mod.ts";
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
    kind: parsed("name of a group", groupName),
    required: true,
    doc: "Which group this proxy belongs to.",
  },
});

/** `[state.local]` */
export const stateLocal = table<StateLocalConfig>({
  name: {
    key: "name",
    kind: parsed("name of a proxy", groupName),
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
});

function shortText(text: string): Result<string> {
  if (text.includes("\0")) return { ok: false, reason: "it holds a NUL" };
  return text.length > MAX_TEXT
    ? { ok: false, reason: `it is over ${MAX_TEXT} characters` }
    : { ok: true, value: text };
}

/** A table of names and addresses. */
function namedAddresses(): Kind<readonly NamedAddress[]> {
  const address = listenAddress();
  return {
    form: "records",
    doc: `table of names, each with ${address.doc}`,
    empty: [],
    read: (value, { path, report }) => {
      if (!isTable(value)) {
        report.problem(path, "is not a table of names and addresses");
        return [];
      }
      const found: NamedAddress[] = [];
      for (const [name, text] of Object.entries(value)) {
        const at = [...path, name];
        const checked = groupName(name);
        const addr = address.read(text, { path: at, report });
        if (!checked.ok) report.problem(at, `${quote(name)} is invalid: ${checked.reason}`);
        else if (found.some((it) => it.addr === addr)) report.problem(at, "repeats an address");
        else if (addr !== "") found.push({ name, addr });
      }
      return found;
    },
    check: (values) => values,
    show: (values) =>
      values.length === 0
        ? "{}"
        : `{ ${values.map(({ name, addr }) => `${name} = ${quote(addr)}`).join(", ")} }`,
  };
}

function groupName(text: string): Result<string> {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text)) return { ok: true, value: text };
  const reason = "it is not of 1 to 63 lower-case letters, digits, dots, dashes and underscores";
  return { ok: false, reason };
}
