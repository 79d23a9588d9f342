import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { parse, stringify, TomlDate, TomlError } from "smol-toml";
import type { StateSchema } from "../../admin/gen/mod.ts";
import type { FirewallRule, L7Policy, Listener, Route, State } from "../../client/mod.ts";
import { UsageError } from "./exit.ts";
import { formatExactDuration, parseDuration } from "./units.ts";

type StateInit = MessageInitShape<typeof StateSchema>;
type Table = Readonly<Record<string, unknown>>;

/**
 * A state as TOML, with the names of the configuration file. What has its default is left out; what
 * the proxy counts is not part of it.
 */
export function writeStateFile({ listeners, firewall, rateLimit }: State): string {
  const { limit = 0, window } = rateLimit ?? {};
  return stringify({
    listeners: (listeners?.listeners ?? []).map(({ listener, routes }) => ({
      ...listener && writeListener(listener),
      routes: routes.map(({ route, policies }) => ({
        ...route && writeRoute(route),
        ...policies.length > 0 && { policies: policies.map(writePolicy) },
      })),
    })),
    firewall: {
      rate_limit: limit,
      ...window && { rate_window: formatExactDuration(durationMs(window)) },
      rules: (firewall?.rules ?? []).map(writeRule),
    },
  });
}

/**
 * Reads what {@link writeStateFile} writes. Without `[[listeners]]`, without `firewall.rules` or
 * without `firewall.rate_limit` that part of the state stays as it is.
 *
 * @throws {UsageError} if the text is no TOML, or holds a key that means nothing here.
 */
export function readStateFile(text: string): StateInit {
  const root = new Reader(parseToml(text), "");
  const listeners = root.tables("listeners");
  const firewall = root.table("firewall");
  const rules = firewall?.tables("rules");
  const limit = firewall?.integer("rate_limit");
  const window = firewall?.text("rate_window");
  const state: StateInit = {
    ...listeners && { listeners: { listeners: listeners.map(readListener) } },
    ...rules && { firewall: { rules: rules.map(readRule) } },
    ...limit !== undefined && {
      rateLimit: {
        limit,
        ...window !== undefined && { window: durationFromMs(parseDuration(window)) },
      },
    },
  };
  firewall?.end();
  root.end();
  return state;
}

function parseToml(text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split("\n");
    throw new UsageError(`line ${error.line}, column ${error.column}: ${reason}`, { cause: error });
  }
}

function writeListener({ addr, proxyProtocol, maxConnections, trustedProxies }: Listener) {
  return {
    addr,
    ...proxyProtocol && { proxy_protocol: true },
    ...maxConnections > 0 && { max_connections: maxConnections },
    ...trustedProxies.length > 0 && { trusted_proxies: trustedProxies },
  };
}

function readListener(table: Reader) {
  const listener = {
    listener: {
      addr: table.text("addr") ?? "",
      proxyProtocol: table.boolean("proxy_protocol"),
      maxConnections: table.integer("max_connections") ?? 0,
      trustedProxies: table.texts("trusted_proxies"),
    },
    routes: (table.tables("routes") ?? []).map(readRoute),
  };
  table.end();
  return listener;
}

function writeRoute(route: Route) {
  const { hostname, backend, mode, tlsCert, tlsKey, backendTls, sendProxyProtocol } = route;
  const { backendProtocol, backendTlsVerify, backendCa, backendServerName } = route;
  return {
    hostname,
    ...backend !== "" && { backend },
    ...mode !== "l4" && { mode },
    ...tlsCert !== "" && { tls_cert: tlsCert },
    ...tlsKey !== "" && { tls_key: tlsKey },
    ...backendTls && { backend_tls: true },
    ...sendProxyProtocol && { send_proxy_protocol: true },
    ...backendProtocol !== "auto" && { backend_protocol: backendProtocol },
    ...backendTlsVerify && { backend_tls_verify: true },
    ...backendCa !== "" && { backend_ca: backendCa },
    ...backendServerName !== "" && { backend_server_name: backendServerName },
  };
}

function readRoute(table: Reader) {
  const route = {
    route: {
      hostname: table.text("hostname") ?? "",
      backend: table.text("backend") ?? "",
      mode: table.text("mode") ?? "",
      tlsCert: table.text("tls_cert") ?? "",
      tlsKey: table.text("tls_key") ?? "",
      backendTls: table.boolean("backend_tls"),
      sendProxyProtocol: table.boolean("send_proxy_protocol"),
      backendProtocol: table.text("backend_protocol") ?? "",
      backendTlsVerify: table.boolean("backend_tls_verify"),
      backendCa: table.text("backend_ca") ?? "",
      backendServerName: table.text("backend_server_name") ?? "",
    },
    policies: (table.tables("policies") ?? []).map(readPolicy),
  };
  table.end();
  return route;
}

function writePolicy({ type, value }: L7Policy) {
  return { type, value };
}

function readPolicy(table: Reader) {
  const policy = { type: table.text("type") ?? "", value: table.text("value") ?? "" };
  table.end();
  return policy;
}

function writeRule({ type, value, reason, expiresAt }: FirewallRule) {
  return {
    type,
    value,
    ...reason !== "" && { reason },
    ...expiresAt && { expires_at: new Date(timestampMs(expiresAt)) },
  };
}

function readRule(table: Reader) {
  const expiresAt = table.date("expires_at");
  const rule = {
    type: table.text("type") ?? "",
    value: table.text("value") ?? "",
    reason: table.text("reason") ?? "",
    ...expiresAt && { expiresAt: timestampFromDate(expiresAt) },
  };
  table.end();
  return rule;
}

/** Takes values out of a table and says in the end what was never taken. */
class Reader {
  readonly #table: Table;
  readonly #path: string;
  readonly #taken = new Set<string>();

  constructor(table: Table, path: string) {
    this.#table = table;
    this.#path = path;
  }

  text(key: string): string | undefined {
    return this.#take(key, "a string", (value) => typeof value === "string" ? value : undefined);
  }

  boolean(key: string): boolean {
    const isBoolean = (value: unknown) => typeof value === "boolean" ? value : undefined;
    return this.#take(key, "true or false", isBoolean) ?? false;
  }

  integer(key: string): number | undefined {
    return this.#take(key, "a whole number", (value) => {
      return typeof value === "number" && Number.isInteger(value) && value >= 0 &&
          value <= 0xffffffff
        ? value
        : undefined;
    });
  }

  date(key: string): Date | undefined {
    return this.#take(key, "a date and time with an offset", (value) => {
      return value instanceof TomlDate && value.isDateTime() && !value.isLocal()
        ? value
        : undefined;
    });
  }

  texts(key: string): string[] {
    return this.#take(key, "an array of strings", (value) => {
      return Array.isArray(value) && value.every((entry) => typeof entry === "string")
        ? value
        : undefined;
    }) ?? [];
  }

  table(key: string): Reader | undefined {
    const table = this.#take(key, "a table", toTable);
    return table && new Reader(table, `${this.#path}${key}.`);
  }

  tables(key: string): Reader[] | undefined {
    const tables = this.#take(key, "an array of tables", (value) => {
      if (!Array.isArray(value)) return undefined;
      const found = value.map(toTable);
      return found.every((table) => table !== undefined) ? found : undefined;
    });
    return tables?.map((table, i) => new Reader(table, `${this.#path}${key}[${i}].`));
  }

  /** @throws {UsageError} if there is a key that nobody asked for. */
  end(): void {
    const unknown = Object.keys(this.#table).find((key) => !this.#taken.has(key));
    if (unknown !== undefined) throw new UsageError(`${this.#path}${unknown}: unknown key`);
  }

  #take<T>(key: string, kind: string, convert: (value: unknown) => T | undefined): T | undefined {
    this.#taken.add(key);
    if (!Object.hasOwn(this.#table, key)) return undefined;
    const value = convert(this.#table[key]);
    if (value === undefined) throw new UsageError(`${this.#path}${key}: not ${kind}`);
    return value;
  }
}

function toTable(value: unknown): Table | undefined {
  const isTable = typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof TomlDate);
  return isTable ? { ...value } : undefined;
}
