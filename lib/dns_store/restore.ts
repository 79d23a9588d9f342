import type { DatabaseSync } from "node:sqlite";
import {
  acceptStateDatabase,
  type Restorable,
  type Restored,
  restoreStateDatabase,
} from "../sqlite/mod.ts";
import { SCHEMA } from "./schema.ts";

/** How much a database holds. */
export interface DnsContents {
  readonly zones: number;
  readonly records: number;
}

const COUNTS = `SELECT (SELECT count(*) FROM zones) AS zones,
  (SELECT count(*) FROM records) AS records`;

const PROGRAM: Restorable<DnsContents> = { schema: SCHEMA, describe: count };

/**
 * Puts a snapshot in the place of a database and makes it what was acknowledged. The files that were
 * there are moved aside. No program may have the database open.
 *
 * @throws {DatabaseError} if the snapshot is no good; nothing has changed then.
 */
export function restoreDnsDatabase(
  database: string,
  options: { readonly from: string },
): Promise<Restored<DnsContents>> {
  return restoreStateDatabase(database, options, PROGRAM);
}

/**
 * Makes what a database holds what was acknowledged: after an edit by hand, or where nothing better
 * is left.
 *
 * @throws {DatabaseError} if SQLite cannot read it.
 */
export function acceptDnsDatabase(database: string): Restored<DnsContents> {
  return acceptStateDatabase(database, PROGRAM);
}

function count(db: DatabaseSync): DnsContents {
  const found = db.prepare(COUNTS).get();
  return { zones: Number(found?.zones), records: Number(found?.records) };
}
