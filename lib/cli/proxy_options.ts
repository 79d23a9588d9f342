import type { Config } from "../config/mod.ts";
import type { Database } from "../db/mod.ts";
import type { State } from "../state/mod.ts";
import type { PendingMigration } from "./migration_snapshot.ts";
import type { ConfigFile } from "./reloader.ts";

/** What {@link runProxy} serves. */
export interface ProxyOptions {
  readonly config: Config;
  /** One line each. */
  readonly warnings: readonly string[];
  /** Where listeners, routes and rules are kept. */
  readonly openDatabase: () => Database;
  /** Copies it where it is about to be migrated. Absent: there is nothing to copy. */
  readonly beforeOpening?: () => Promise<PendingMigration | undefined>;
  /** Whether to share ports with a process that is to be replaced. */
  readonly takeOver: boolean;
  /**
   * The configuration as it is now, without a look at the files that it names.
   *
   * @throws {CommandError}
   */
  readonly rereadConfig: () => Config;
  /** Absent: the flags are the whole truth. */
  readonly file?: ConfigFile;
  /** What of the file can be changed at run time. */
  readonly state?: State;
}
