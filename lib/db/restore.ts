import type { DatabaseSync } from "node:sqlite";
import {
  acceptStateDatabase,
  type Restorable,
  type Restored as RestoredState,
  restoreStateDatabase,
} from "../sqlite/mod.ts";
import { SCHEMA } from "./migrations.ts";

/** How much a database holds. */
export interface Contents {
  readonly listeners: number;
  readonly routes: number;
  readonly firewallRules: number;
}

/** What a restored database holds. */
export type Restored = Omit<RestoredState<Contents>, "contents"> & Contents;

const COUNTS = `SELECT (SELECT count(*) FROM listeners) AS listeners,
  (SELECT count(*) FROM routes) AS routes,
  (SELECT count(*) FROM firewall_rules) AS rules`;

const PROGRAM: Restorable<Contents> = { schema: SCHEMA, describe: count };

/**
 * Puts a snapshot in the place of a database and makes it what was acknowledged. The files that were
 * there are moved aside. No program may have the database open.
 *
 * @throws {DatabaseError} if the snapshot is no good; nothing has changed then.
 */
export async function restoreDatabase(
  database: string,
  options: { readonly from: string },
): Promise<Restored> {
  return flat(await restoreStateDatabase(database, options, PROGRAM));
}

/**
 * Makes what a database holds what was acknowledged: after an edit by hand, or where nothing better
 * is left.
 *
 * @throws {DatabaseError} if SQLite cannot read it.
 */
export function acceptDatabase(database: string): Restored {
  return flat(acceptStateDatabase(database, PROGRAM));
}

function count(db: DatabaseSync): Contents {
  const found = db.prepare(COUNTS).get();
  return {
    listeners: Number(found?.listeners),
    routes: Number(found?.routes),
    firewallRules: Number(found?.rules),
  };
}

function flat({ contents, ...restored }: RestoredState<Contents>): Restored {
  return { ...restored, ...contents };
}
