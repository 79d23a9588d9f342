/**
 * Whose the database is: a second process beside a running one is refused before it touches
 * anything, and the right to write is given back by a start that fails.
 *
 * @module
 */
import { type Database, ServingLock, whenFree } from "../db/mod.ts";
import { describeError } from "../observe/mod.ts";
import { answers } from "../service/mod.ts";
import { resolve } from "node:path";
import { asCommandError, CommandError } from "./command_error.ts";
import type { ProxyOptions } from "./proxy_options.ts";

/**
 * Before the database is migrated or claimed: who was started beside a running proxy by mistake would
 * for a moment have taken from it the right to write.
 *
 * @returns what tells the next one, until it is disposed of; nothing for a database in memory.
 */
export async function refuseSecond(
  { config: { grpc, database: { path } }, takeOver }: ProxyOptions,
): Promise<Disposable | undefined> {
  const remedy = "stop it first, or take over from it with --take-over";
  if (!takeOver && grpc !== undefined && await answers(grpc.addr)) {
    throw new CommandError(
      `another process answers on the admin socket ${grpc.addr}: ${remedy}`,
    );
  }
  return path === "" ? undefined : lockServing(path, { takeOver, remedy });
}

/** Says that this process serves a database, until what it returns is disposed of. */
export function lockServing(
  path: string,
  { takeOver, remedy }: { readonly takeOver: boolean; readonly remedy: string },
): Disposable {
  const lock = asCommandError(() => ServingLock.take(resolve(path), { takeOver }));
  if (lock !== undefined) return lock;
  throw new CommandError(`another process serves the database ${path}: ${remedy}`);
}

/** A database that one of several processes may write. */
type Claimable = Disposable & Pick<Database, "role" | "safekeeping" | "busyTimeoutMs">;

/** Opens one with the right to write. */
export function openClaimed<D extends Claimable>(open: () => D): D {
  const database = asCommandError(open);
  try {
    // Before anything of the state is read: what another process acknowledges later would be unknown.
    asCommandError(() => database.role?.claim());
    asCommandError(() => database.safekeeping?.acknowledge());
    return database;
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

/** The database may be in use for a moment, by its own checkpoint or by whoever is being replaced. */
export async function confirmRole(database: Claimable): Promise<void> {
  const until = performance.now() + database.busyTimeoutMs;
  try {
    await whenFree(() => database.role?.confirm(), { until });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
