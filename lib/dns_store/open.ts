import { openInMemory, type OpenOptions, openStateDatabase, type Program } from "../sqlite/mod.ts";
import { DnsDatabase } from "./database.ts";
import { SCHEMA } from "./schema.ts";

const PROGRAM: Program<DnsDatabase> = {
  schema: SCHEMA,
  make: (db, parts) => new DnsDatabase(db, parts),
};

/**
 * Opens the database and brings its schema up to date. A new file has mode 0600.
 *
 * @throws {DatabaseError}
 *
 * @example
 * ```ts
 * import { openDnsDatabase } from "./mod.ts";
 * import { nameFromText, parseZoneFile } from "../dns/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const origin = nameFromText("example.net");
 * assert(origin.ok);
 * const text = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";
 * const { records } = parseZoneFile(text, { origin: origin.value });
 * const folder = await Deno.makeTempDir();
 * {
 *   using db = openDnsDatabase(`${folder}/mcns.db`);
 *   const author = { actor: "me", action: "create", time: 0 };
 *   const zone = db.createZone(origin.value, records, author);
 *   const [, , ns] = db.records.ofZone(zone.id);
 *   assert(ns);
 *   assert.equal(db.change(zone, { removed: [ns] }, author).serial, 2);
 *   assert.equal(db.journal.since(zone.id, 1)?.[0]?.removed.length, 2);
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function openDnsDatabase(path: string, options: OpenOptions = {}): DnsDatabase {
  return openStateDatabase(path, options, PROGRAM);
}

/**
 * A database that ends with the process.
 *
 * @throws {DatabaseError}
 */
export function openMemoryDnsDatabase(
  { maxJournalRows }: { readonly maxJournalRows?: number } = {},
): DnsDatabase {
  const { schema } = PROGRAM;
  return openInMemory({ schema, make: (db, parts) => new DnsDatabase(db, parts, maxJournalRows) });
}
