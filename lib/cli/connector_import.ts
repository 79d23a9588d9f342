import { importDirectory, openDirectory, replaceDirectory, sqlitePath } from "../connector/mod.ts";
import { describeError } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { loadConfigFile, readText } from "./load.ts";

/** Settings of {@link runConnectorImport}. */
export interface ConnectorImportOptions {
  /** `sqlite:PATH`. */
  readonly db?: string;
  /** Names the database where `db` is absent. */
  readonly config?: string;
}

/**
 * `mc-proxy connector import`: replaces hosts, teams and users of the embedded database by those of
 * a TOML or CSV file, in one step, also while the connector runs. Returns what was imported.
 *
 * @throws {CommandError} with everything that is wrong with the file; nothing is changed then.
 */
export function runConnectorImport(file: string, options: ConnectorImportOptions): string {
  const path = databasePath(options);
  const format = /\.(toml|csv)$/i.exec(file)?.[1]?.toLowerCase();
  if (format !== "toml" && format !== "csv") {
    throw new CommandError(`${file}: the name ends neither in .toml nor in .csv`);
  }
  const result = importDirectory(readText(file), format);
  if (!result.ok) {
    const lines = result.problems.map(({ line, message }) => `${file}:${line}: ${message}`);
    throw new CommandError(lines.join("\n"));
  }
  const { hosts, teams, users } = result.directory;
  try {
    const database = openDirectory(path);
    try {
      replaceDirectory(database, result.directory);
    } finally {
      database.close();
    }
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${describeError(error)}`, { cause: error });
  }
  return `${path}: ${hosts.length} hosts, ${teams.length} teams, ${users.length} users`;
}

function databasePath({ db, config }: ConnectorImportOptions): string {
  const named = db ??
    (config && loadConfigFile(config, { needsDatabase: false }).config.connector?.db);
  const path = named === undefined || named === "" ? undefined : sqlitePath(named);
  if (path !== undefined && path !== "") return path;
  throw new CommandError(
    "import fills the embedded database: name it with --db sqlite:PATH, or -c and a file " +
      "whose [connector] does",
  );
}
