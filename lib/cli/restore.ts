import { resolve } from "node:path";
import { acceptDatabase, type Restored, restoreDatabase, ServingLock } from "../db/mod.ts";
import { describeError } from "../observe/mod.ts";
import { answers } from "../service/mod.ts";
import { CommandError } from "./command_error.ts";
import { loadConfigFile } from "./load.ts";

/** Settings of {@link runRestore}; one of them. */
export interface RestoreOptions {
  /** The snapshot to put in the database's place. */
  readonly from?: string;
  /** Take the database as it is, whatever was acknowledged. */
  readonly asItIs?: boolean;
}

/**
 * `mc-proxy restore`: makes a snapshot, or the database as it is, the state that the next start takes.
 * Resolves with what to tell the operator.
 *
 * @throws {CommandError} if it cannot, and then nothing has changed.
 */
export async function runRestore(configPath: string, options: RestoreOptions): Promise<string> {
  const { from, asItIs = false } = options;
  if ((from === undefined) === !asItIs) {
    throw new CommandError("restore needs --from SNAPSHOT or --as-it-is, one of them");
  }
  const { config: { database: { path }, grpc, state } } = loadConfigFile(configPath);
  if (grpc !== undefined && await answers(grpc.addr)) {
    throw new CommandError(`a proxy answers on ${grpc.addr}: stop it first`);
  }
  try {
    // Held until it is done: a start that comes meanwhile would open what is being replaced.
    using lock = ServingLock.take(resolve(path), { takeOver: false });
    if (lock === undefined) {
      throw new CommandError(`a process serves the database ${path}: stop it first`);
    }
    const restored = from === undefined
      ? acceptDatabase(path)
      : await restoreDatabase(path, { from });
    const next = `; the next start makes what is served equal to ${configPath} (state.source)`;
    return words(path, restored) + (state.source === "file" ? next : "");
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(describeError(error), { cause: error });
  }
}

function words(
  path: string,
  { revision, listeners, routes, firewallRules, aside }: Restored,
): string {
  const moved = aside === undefined ? "" : `; what was there before is ${aside}`;
  return `${path}: revision ${revision}, ${listeners} listeners, ${routes} routes, ` +
    `${firewallRules} firewall rules${moved}`;
}
