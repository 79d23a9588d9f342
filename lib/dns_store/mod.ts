/**
 * The zones of the name server in SQLite: records, the serial that each change raises, the journal
 * from one serial to the next, tokens and the audit log. Opening, copies and what guards them are
 * lib/sqlite's.
 *
 * @module
 */
export { type Author, type DnsDatabase, type EditedZone, type ZoneEdit } from "./database.ts";
export { type Journal, type JournalStep, MAX_JOURNAL_ROWS } from "./journal.ts";
export { openDnsDatabase, openMemoryDnsDatabase } from "./open.ts";
export { type PreparedChangeRows, type PreparedRow } from "./prepared.ts";
export { type RecordFilter, type Records } from "./records.ts";
export { acceptDnsDatabase, type DnsContents, restoreDnsDatabase } from "./restore.ts";
export { type StoredRecord, type ZoneRow } from "./rows.ts";
export { MIGRATIONS, SCHEMA, SCHEMA_VERSION, STATE_TABLES } from "./schema.ts";
export { type SecondaryRow, type SecondaryRows } from "./secondaries.ts";
export { type TokenRow, type Tokens } from "./tokens.ts";
export { type Zones } from "./zones.ts";
