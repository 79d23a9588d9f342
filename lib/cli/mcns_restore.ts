import { resolve } from "node:path";
import { acceptDnsDatabase, type DnsContents, restoreDnsDatabase } from "../dns_store/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type Restored, ServingLock } from "../sqlite/mod.ts";
import { CommandError } from "./command_error.ts";
import { loadMcnsFile } from "./mcns_load.ts";
import type { RestoreOptions } from "./restore.ts";

/**
 * `mcns restore`: makes a snapshot, or the database as it is, the zones that the next start serves.
 * Resolves with what to tell the operator.
 *
 * @throws {CommandError} if it cannot, and then nothing has changed.
 */
export async function runMcnsRestore(configPath: string, options: RestoreOptions): Promise<string> {
  const { from, asItIs = false } = options;
  if ((from === undefined) === !asItIs) {
    throw new CommandError("restore needs --from SNAPSHOT or --as-it-is, one of them");
  }
  const { path } = loadMcnsFile(configPath).config.database;
  try {
    // Held until it is done: a start that comes meanwhile would open what is being replaced.
    using lock = ServingLock.take(resolve(path), { takeOver: false });
    if (lock === undefined) {
      throw new CommandError(`a process serves the database ${path}: stop it first`);
    }
    const restored = from === undefined
      ? acceptDnsDatabase(path)
      : await restoreDnsDatabase(path, { from });
    return words(path, restored);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(describeError(error), { cause: error });
  }
}

function words(
  path: string,
  { revision, contents: { zones, records }, aside }: Restored<DnsContents>,
): string {
  const moved = aside === undefined ? "" : `; what was there before is ${aside}`;
  return `${path}: revision ${revision}, ${zones} zones, ${records} records${moved}`;
}
