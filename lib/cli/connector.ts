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
import type { ConnectorFlags, Given } from "./connector_flags.ts";
import { describeProblems, readText } from "./load.ts";
import { runProxy } from "./server.ts";

const LISTS: ReadonlySet<string> = new Set(["allowed_networks", "ca_certs", "crls"]);
const NUMBERS: ReadonlySet<string> = new Set(["default_port", "db_port"]);

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
