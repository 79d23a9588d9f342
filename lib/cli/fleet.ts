import { type Config, parseShareKeys, type StatePostgresConfig } from "../config/mod.ts";
import { type FleetOptions, joinGroup } from "../control/mod.ts";
import type { Database } from "../db/mod.ts";
import { FleetLink, Sealer } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { VERSION } from "./version.ts";

/** The connection to the group that a configuration names, and what was found there. */
export interface OpenFleet extends FleetOptions, AsyncDisposable {}

/**
 * Connects to the group, if the configuration names one, and joins it if this proxy has not.
 *
 * @throws {CommandError}
 */
export async function openFleet(
  config: Config,
  { database, log, deadlineMs }: {
    readonly database: Database;
    readonly log: LogSink;
    /** See {@link FleetLink}; tests wait less. */
    readonly deadlineMs?: number;
  },
): Promise<OpenFleet | undefined> {
  const { source, postgres, local } = config.state;
  if (source !== "postgres" || postgres === undefined || local === undefined) return undefined;
  const link = new FleetLink({
    server: serverOf(postgres),
    group: postgres.group,
    proxy: local.name,
    listeners: local.listeners,
    ...deadlineMs !== undefined && { deadlineMs },
  });
  try {
    const joined = await joinGroup({ link, database, config, log, now: Date.now });
    const sealer = await sealerOf(postgres);
    return {
      ...{ link, joined, version: VERSION, sealer },
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    };
  } catch (error) {
    await link[Symbol.asyncDispose]();
    const message = `cannot join the group ${postgres.group}, and there is no replica of it to ` +
      `start from: ${describeError(error)}`;
    throw new CommandError(message, { cause: error });
  }
}

/** What the group's certificates are sealed with, if it shares them. */
async function sealerOf(
  { group, shareCertificates, shareKeyFile }: StatePostgresConfig,
): Promise<Sealer | undefined> {
  if (!shareCertificates || shareKeyFile === undefined) return undefined;
  const keys = parseShareKeys(readText(shareKeyFile));
  if (!keys.ok) throw new CommandError(`${shareKeyFile} ${keys.reason}`);
  return await Sealer.open(group, keys.value);
}

function serverOf(settings: StatePostgresConfig): FleetLink["options"]["server"] {
  const { host, port, user, passwordFile, database, tls, ca, cert, key } = settings;
  const password = passwordFile === undefined ? "" : readText(passwordFile).replace(/\r?\n$/, "");
  const client = cert === undefined || key === undefined
    ? undefined
    : { cert: readText(cert), key: readText(key) };
  const secure = { ...ca !== undefined && { ca: readText(ca) }, ...client && { client } };
  return { host, port, user, password, database, ...tls && { tls: secure } };
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${describeError(error)}`, { cause: error });
  }
}
