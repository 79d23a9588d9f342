import type { Config } from "../config/mod.ts";
import { type Database, openMemoryDatabase, whenFree } from "../db/mod.ts";

/**
 * What the configuration says, as a database of its own; nothing if the real one has ever been
 * written. A first start is compiled from it, so that one which fails freezes nothing: a wrong file is
 * mended and read again. Rows get the ids that {@link storeFirstState} gives them.
 *
 * @throws {DatabaseError}
 */
export function firstState(database: Database, config: Config): Database | undefined {
  if (database.isSeeded) return undefined;
  const state = openMemoryDatabase();
  try {
    state.seed(config);
    return state;
  } catch (error) {
    state[Symbol.dispose]();
    throw error;
  }
}

/**
 * Writes what a first start has compiled, now that it serves. Returns whether anything was written.
 *
 * @throws {DatabaseError}
 */
export async function storeFirstState(database: Database, config: Config): Promise<boolean> {
  const until = performance.now() + database.busyTimeoutMs;
  return await whenFree(() => {
    if (!database.seed(config)) return false;
    // The seed is all there is: it is not to hang on one page of a log.
    database.safekeeping?.checkpoint();
    database.safekeeping?.acknowledge();
    return true;
  }, { until });
}
