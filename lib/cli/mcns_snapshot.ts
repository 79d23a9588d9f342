import { openDnsDatabase } from "../dns_store/mod.ts";
import { describeError } from "../observe/mod.ts";
import { CommandError } from "./command_error.ts";
import { fileTime } from "./file_time.ts";
import { loadMcnsFile } from "./mcns_load.ts";
import type { SnapshotOptions } from "./snapshot.ts";

/**
 * `mcns snapshot`: copies the database while the server goes on writing it. Resolves with the path of
 * the copy.
 *
 * @throws {CommandError} if there is no database, or the copy cannot be written.
 */
export async function runMcnsSnapshot(
  configPath: string,
  options: SnapshotOptions,
): Promise<string> {
  const { path } = loadMcnsFile(configPath).config.database;
  const output = options.output ?? `${path}.${fileTime(new Date())}.bak`;
  try {
    using database = openDnsDatabase(path, { readOnly: true });
    await database.snapshot(output, { overwrite: options.overwrite ?? false });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
  return output;
}
