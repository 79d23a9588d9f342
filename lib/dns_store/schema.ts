import { FOUNDATION, type Migration, type ProgramSchema } from "../sqlite/mod.ts";

/** In order, without gaps from 1. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    statements: [
      ...FOUNDATION,
      // Names are text as zone files have it, whatever is no letter or digit escaped: SQLite's
      // NOCASE folds the letters of ASCII and no others, as the DNS does (RFC 4343).
      `CREATE TABLE zones (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE
      )`,
      `CREATE TABLE records (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        zone_id INTEGER NOT NULL REFERENCES zones(id) ON DELETE CASCADE,
        name TEXT NOT NULL COLLATE NOCASE,
        type INTEGER NOT NULL CHECK(type BETWEEN 1 AND 65535),
        ttl INTEGER NOT NULL CHECK(ttl BETWEEN 0 AND 2147483647),
        data BLOB NOT NULL CHECK(typeof(data) = 'blob')
      )`,
      "CREATE INDEX records_of_sets ON records (zone_id, name, type)",
      // One row for each record that came or went, in the order of IXFR (RFC 1995 §4): the old SOA,
      // what went, the new SOA, what came.
      `CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        zone_id INTEGER NOT NULL REFERENCES zones(id) ON DELETE CASCADE,
        from_serial INTEGER NOT NULL,
        to_serial INTEGER NOT NULL,
        is_added INTEGER NOT NULL CHECK(is_added IN (0, 1)),
        name TEXT NOT NULL,
        type INTEGER NOT NULL,
        ttl INTEGER NOT NULL,
        data BLOB NOT NULL
      )`,
      "CREATE INDEX journal_of_zones ON journal (zone_id, id)",
      `CREATE TABLE tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL UNIQUE CHECK(length(hash) = 64),
        scopes TEXT NOT NULL CHECK(json_valid(scopes) AND json_type(scopes) = 'array'),
        created_at INTEGER NOT NULL,
        expires_at INTEGER
      )`,
    ],
  },
  {
    version: 2,
    statements: [
      // Zones that another server has first: from whom they came, and when that last vouched for them.
      `CREATE TABLE secondaries (
        zone_id INTEGER PRIMARY KEY REFERENCES zones(id) ON DELETE CASCADE,
        primary_server TEXT NOT NULL,
        refreshed_at INTEGER NOT NULL
      )`,
    ],
  },
  {
    // Changes that wait for somebody else's decision, and those that were made after one.
    version: 3,
    statements: [
      `CREATE TABLE prepared_changes (
        id TEXT PRIMARY KEY,
        coordinator TEXT NOT NULL,
        actor TEXT NOT NULL,
        content TEXT NOT NULL CHECK(json_valid(content)),
        prepared_at INTEGER NOT NULL,
        committed_at INTEGER
      )`,
    ],
  },
];

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** What is the state: every row counts, and a change that fails takes each of them back. */
export const STATE_TABLES = [
  "zones",
  "records",
  "journal",
  "tokens",
  "secondaries",
  "prepared_changes",
] as const;

/** What lib/sqlite has to know of this program's database. */
export const SCHEMA: ProgramSchema = {
  commands: { restore: "mcns restore", writeBack: "mcnsctl write-back" },
  migrations: MIGRATIONS,
  stateTables: STATE_TABLES,
};
