import type { Config, ConnectorConfig } from "../config/mod.ts";
import { type DatabaseAdmission, openAdmission } from "../connector/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";

/**
 * Opens the connector's database, if there is a connector.
 *
 * @throws {CommandError} if a file that it needs cannot be read or opened.
 */
export function openConfiguredAdmission(
  { connector: config }: Config,
  log: LogSink,
): DatabaseAdmission | undefined {
  if (config === undefined) return undefined;
  const password = readPassword(config);
  const databaseCa = config.dbCa === undefined ? undefined : readText(config.dbCa);
  try {
    return openAdmission({ config, password, log, ...databaseCa !== undefined && { databaseCa } });
  } catch (error) {
    const message = `cannot open the connector's database: ${describeError(error)}`;
    throw new CommandError(message, { cause: error });
  }
}

/** One newline at the end is the editor's. */
function readPassword({ dbPassword, dbPasswordFile }: ConnectorConfig): string {
  return dbPasswordFile === undefined ? dbPassword : readText(dbPasswordFile).replace(/\r?\n$/, "");
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${describeError(error)}`, { cause: error });
  }
}
