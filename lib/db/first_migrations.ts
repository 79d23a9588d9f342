import type { Migration } from "../sqlite/mod.ts";

/**
 * Those that were written before fields were described: every column is spelled out, and so are the
 * kinds of things, which the tenth takes out of the schema. Databases have them, so they stay as they
 * are to the letter.
 */
export const FIRST: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE listeners (
        id INTEGER PRIMARY KEY,
        addr TEXT NOT NULL UNIQUE
      )`,
      `CREATE TABLE routes (
        id INTEGER PRIMARY KEY,
        listener_id INTEGER NOT NULL REFERENCES listeners(id) ON DELETE CASCADE,
        hostname TEXT NOT NULL,
        backend TEXT NOT NULL,
        UNIQUE(listener_id, hostname)
      )`,
      `CREATE TABLE firewall_rules (
        id INTEGER PRIMARY KEY,
        type TEXT NOT NULL CHECK(type IN ('ip','cidr','country')),
        value TEXT NOT NULL,
        UNIQUE(type, value)
      )`,
    ],
  },
  {
    version: 2,
    statements: [
      "ALTER TABLE listeners ADD COLUMN proxy_protocol INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE routes ADD COLUMN mode TEXT NOT NULL DEFAULT 'l4' CHECK(mode IN ('l4','l7'))",
      "ALTER TABLE routes ADD COLUMN tls_cert TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE routes ADD COLUMN tls_key TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE routes ADD COLUMN backend_tls INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE routes ADD COLUMN send_proxy_protocol INTEGER NOT NULL DEFAULT 0",
    ],
  },
  {
    // Limits and trusted proxies of listeners; a JSON array of addresses and blocks.
    version: 3,
    statements: [
      `ALTER TABLE listeners ADD COLUMN max_connections INTEGER NOT NULL DEFAULT 0
        CHECK(max_connections >= 0)`,
      `ALTER TABLE listeners ADD COLUMN trusted_proxies TEXT NOT NULL DEFAULT '[]'
        CHECK(json_valid(trusted_proxies) AND json_type(trusted_proxies) = 'array')`,
    ],
  },
  {
    // The mode mtls. SQLite cannot change a CHECK, so the table is built anew
    // (https://sqlite.org/lang_altertable.html#otheralter).
    version: 4,
    statements: [
      `CREATE TABLE routes_new (
        id INTEGER PRIMARY KEY,
        listener_id INTEGER NOT NULL REFERENCES listeners(id) ON DELETE CASCADE,
        hostname TEXT NOT NULL,
        backend TEXT NOT NULL,
        mode TEXT NOT NULL DEFAULT 'l4' CHECK(mode IN ('l4','l7','mtls')),
        tls_cert TEXT NOT NULL DEFAULT '',
        tls_key TEXT NOT NULL DEFAULT '',
        backend_tls INTEGER NOT NULL DEFAULT 0,
        send_proxy_protocol INTEGER NOT NULL DEFAULT 0,
        UNIQUE(listener_id, hostname)
      )`,
      `INSERT INTO routes_new (id, listener_id, hostname, backend, mode, tls_cert, tls_key,
          backend_tls, send_proxy_protocol)
        SELECT id, listener_id, hostname, backend, mode, tls_cert, tls_key,
          backend_tls, send_proxy_protocol FROM routes`,
      "DROP TABLE routes",
      "ALTER TABLE routes_new RENAME TO routes",
    ],
  },
  {
    // Whether the database has ever held a listener or a rule: an operator who removed the last
    // one does not get the config file's back at the next start. Triggers cannot be forgotten.
    version: 5,
    statements: [
      "CREATE TABLE seeded (once INTEGER PRIMARY KEY CHECK(once = 1))",
      `CREATE TRIGGER seeded_by_listener AFTER INSERT ON listeners
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
      `CREATE TRIGGER seeded_by_rule AFTER INSERT ON firewall_rules
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
      `INSERT INTO seeded SELECT 1
        WHERE EXISTS (SELECT 1 FROM listeners) OR EXISTS (SELECT 1 FROM firewall_rules)`,
    ],
  },
  {
    // What rules know of themselves: why, until when, and how often they blocked. AUTOINCREMENT,
    // because the id of a rule that is gone must not name another one in logs and counts.
    version: 6,
    statements: [
      `CREATE TABLE firewall_rules_new (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        type TEXT NOT NULL CHECK(type IN ('ip','cidr','country')),
        value TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        expires_at INTEGER,
        hits INTEGER NOT NULL DEFAULT 0 CHECK(hits >= 0),
        created_at INTEGER,
        UNIQUE(type, value)
      )`,
      `INSERT INTO firewall_rules_new (id, type, value)
        SELECT id, type, value FROM firewall_rules ORDER BY id`,
      "DROP TABLE firewall_rules",
      "ALTER TABLE firewall_rules_new RENAME TO firewall_rules",
      "CREATE INDEX firewall_rules_by_expiry ON firewall_rules (expires_at)",
      `CREATE TRIGGER seeded_by_rule AFTER INSERT ON firewall_rules
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
    ],
  },
  {
    // Changes at run time: who made them, settings that they set, and conditions on l7 requests.
    version: 7,
    statements: [
      `CREATE TABLE audit_log (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
      )`,
      "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
      `CREATE TABLE l7_policies (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        route_id INTEGER NOT NULL REFERENCES routes(id) ON DELETE CASCADE,
        type TEXT NOT NULL CHECK(type IN ('block_user_agent','require_header')),
        value TEXT NOT NULL,
        UNIQUE(route_id, type, value)
      )`,
    ],
  },
  {
    // How l7 routes speak to their backends.
    version: 8,
    statements: [
      `ALTER TABLE routes ADD COLUMN backend_protocol TEXT NOT NULL DEFAULT 'auto'
        CHECK(backend_protocol IN ('auto','h2','http1'))`,
      "ALTER TABLE routes ADD COLUMN backend_tls_verify INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE routes ADD COLUMN backend_ca TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE routes ADD COLUMN backend_server_name TEXT NOT NULL DEFAULT ''",
    ],
  },
  {
    // Which database this is, how far it has come, and a digest of the state; see identity.ts.
    version: 9,
    statements: [
      `CREATE TABLE identity (
        once INTEGER PRIMARY KEY CHECK(once = 1),
        id TEXT NOT NULL,
        generation INTEGER NOT NULL CHECK(generation >= 0),
        digest INTEGER NOT NULL,
        digest_version INTEGER NOT NULL
      )`,
    ],
  },
];
