import type { Command } from "commander";
import {
  type Config,
  type ConnectorConfig,
  loadConfig,
  type LoadOptions,
  type Problem,
} from "../config/mod.ts";
import { openMemoryDatabase } from "../db/mod.ts";
import type { OverrideValue } from "../settings/mod.ts";
import { CommandError } from "./command_error.ts";
import { describeProblems, readText } from "./load.ts";
import { runProxy } from "./server.ts";

/** Settings of `[connector]` that are flags, with `-` for `_`, and what they are for. */
const FLAGS: readonly (readonly [flag: string, about: string])[] = [
  ["--listen <addr>", "where to listen (default: :8443)"],
  ["--ca-certs <files>", "authorities of client certificates, PEM, separated by commas"],
  ["--crls <files>", "revocation lists, PEM or DER, separated by commas"],
  ["--server-cert <file>", "the connector's certificate chain, PEM"],
  ["--server-key <file>", "its private key, PEM"],
  ["--issuer <name>", "SPIFFE trust domain of clients (default: tinyscale.com)"],
  ["--domain <name>", "hosts are one label below it (default: connect.tinyscale.com)"],
  ["--default-port <port>", "of hosts whose row names none (default: 22)"],
  [
    "--allowed-networks <cidrs>",
    "where sessions may be led, separated by commas (default: all but special)",
  ],
  ["--db <database>", "postgres, or sqlite:PATH (default: postgres)"],
  ["--db-host <host>", "PostgreSQL's host (default: 127.0.0.1)"],
  ["--db-port <port>", "PostgreSQL's port (default: 5432)"],
  ["--db-user <name>", "a role that may SELECT (default: tinyscale)"],
  ["--db-password <password>", "its password, which ps shows (default: tinyscale)"],
  ["--db-password-file <file>", "a file with the password, which ps does not show"],
  ["--db-name <name>", "the database on that server (default: tinyscale-ssh)"],
];

const LISTS: ReadonlySet<string> = new Set(["allowed_networks", "ca_certs", "crls"]);
const NUMBERS: ReadonlySet<string> = new Set(["default_port", "db_port"]);

/** What commander makes of the flags that have a value. */
type Given = Readonly<Record<string, string | undefined>>;

/** What commander makes of all flags. */
export type ConnectorFlags = Given & { readonly takeOver?: true };

/** Adds the flags of `mc-proxy connector` to its command. */
export function addConnectorFlags(command: Command): Command {
  command.option("-c, --config <file>", "configuration (TOML); flags win over its [connector]");
  for (const [flag, about] of FLAGS) command.option(flag, about);
  command.option("--take-over", "share the port with a running connector that is about to stop");
  return command.option("--log-level <level>", "debug, info, warn or error (default: info)");
}

/**
 * `mc-proxy connector`: the same server as `mc-proxy server`, with one listener, and one mtls route
 * for every host of the domain. Resolves with the exit code.
 *
 * Flags and file are the whole truth: nothing is kept from one run to the next.
 *
 * @throws {CommandError} if it cannot start.
 */
export async function runConnector(
  { takeOver, ...given }: ConnectorFlags,
): Promise<number> {
  const { config, warnings } = loadConnectorConfig(given);
  return await runProxy({
    config,
    warnings,
    openDatabase: openMemoryDatabase,
    takeOver: takeOver === true,
    rereadConfig: () => loadConnectorConfig(given, { readsFiles: false }).config,
  });
}

/**
 * The configuration that flags and file amount to.
 *
 * @throws {CommandError} with every problem, one a line.
 */
export function loadConnectorConfig(
  { config: path, logLevel, ...flags }: Given,
  options: Pick<LoadOptions, "readsFiles"> = {},
): { readonly config: Config; readonly warnings: readonly string[] } {
  const connector: Record<string, OverrideValue> = {};
  for (const [name, text] of Object.entries(flags)) {
    if (text === undefined) continue;
    const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    connector[key] = valueOf(key, text);
  }
  const overrides = { connector, ...logLevel !== undefined && { log: { level: logLevel } } };
  const text = path === undefined ? "" : readText(path);
  const result = loadConfig(text, { ...options, overrides, needsDatabase: false });
  const lines = (problems: readonly Problem[]) => describeAll(problems, { path, connector });
  if (!result.ok) throw new CommandError(lines(result.problems).join("\n"));
  return { config: withListener(result.config), warnings: lines(result.warnings) };
}

function valueOf(key: string, text: string): OverrideValue {
  if (LISTS.has(key)) return text.split(",").filter((part) => part !== "");
  return NUMBERS.has(key) && /^[0-9]{1,15}$/.test(text) ? BigInt(text) : text;
}

/** A problem with a flag names the flag, and one with a setting of the file its place there. */
function describeAll(
  problems: readonly Problem[],
  { path, connector }: {
    readonly path: string | undefined;
    readonly connector: Readonly<Record<string, OverrideValue>>;
  },
): string[] {
  return problems.flatMap((problem) => {
    const [, section, key = ""] = /^(connector|log)\.([a-z_]+)/.exec(problem.key) ?? [];
    const isFlag = section === "connector" && (path === undefined || key in connector) ||
      section === "log" && path === undefined;
    if (!isFlag) return describeProblems(path ?? "", [problem]);
    const flag = section === "log" ? "--log-level" : `--${key.replaceAll("_", "-")}`;
    return [`${flag}: ${problem.message}`];
  });
}

/** The listener and the route that `[connector]` stands for, instead of those of the file. */
function withListener(config: Config): Config {
  const connector = config.connector as ConnectorConfig;
  const { listen: addr, proxyProtocol, trustedProxies, maxConnections } = connector;
  const route = {
    hostname: `*.${connector.domain}`,
    backend: "",
    mode: "mtls",
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: connector.sendProxyProtocol,
  } as const;
  const listener = { addr, proxyProtocol, trustedProxies, maxConnections, routes: [route] };
  return { ...config, listeners: [listener] };
}
