import { openDatabase } from "../db/mod.ts";
import { describeError } from "../observe/mod.ts";
import { loadConfigFile } from "./load.ts";
import { CommandError } from "./command_error.ts";
import { fileTime } from "./file_time.ts";

/** Settings of {@link runSnapshot}. */
export interface SnapshotOptions {
  /** Default: the database's path with the time and `.bak` appended. */
  readonly output?: string;
  readonly overwrite?: boolean;
}

/**
 * `mc-proxy snapshot`: copies the database while the server goes on writing it. Resolves with the
 * path of the copy.
 *
 * @throws {CommandError} if there is no database, or the copy cannot be written.
 */
export async function runSnapshot(configPath: string, options: SnapshotOptions): Promise<string> {
  const { config } = loadConfigFile(configPath);
  const { path } = config.database;
  const output = options.output ?? `${path}.${fileTime(new Date())}.bak`;
  try {
    using database = openDatabase(path, { readOnly: true });
    await database.snapshot(output, { overwrite: options.overwrite ?? false });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
  return output;
}
