import type { Migration } from "../sqlite/mod.ts";
import { FIRST } from "./first_migrations.ts";

/** Those that more than add columns, in order, without gaps from 1. */
export const WRITTEN: readonly Migration[] = [
  ...FIRST,
  {
    // Ids of listeners and routes are never used again: what is about one that is gone, such as a
    // drain that ends later, must not meet another one. And no list of kinds: a new one would need
    // the table built anew. Whoever reads a row refuses a kind that it does not know.
    version: 10,
    statements: [
      `CREATE TABLE listeners_new (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        addr TEXT NOT NULL UNIQUE,
        proxy_protocol INTEGER NOT NULL DEFAULT 0,
        max_connections INTEGER NOT NULL DEFAULT 0 CHECK(max_connections >= 0),
        trusted_proxies TEXT NOT NULL DEFAULT '[]'
          CHECK(json_valid(trusted_proxies) AND json_type(trusted_proxies) = 'array')
      )`,
      `INSERT INTO listeners_new (id, addr, proxy_protocol, max_connections, trusted_proxies)
        SELECT id, addr, proxy_protocol, max_connections, trusted_proxies
        FROM listeners ORDER BY id`,
      "DROP TABLE listeners",
      "ALTER TABLE listeners_new RENAME TO listeners",
      `CREATE TRIGGER seeded_by_listener AFTER INSERT ON listeners
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
      `CREATE TABLE routes_new (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        listener_id INTEGER NOT NULL REFERENCES listeners(id) ON DELETE CASCADE,
        hostname TEXT NOT NULL,
        backend TEXT NOT NULL,
        mode TEXT NOT NULL DEFAULT 'l4',
        tls_cert TEXT NOT NULL DEFAULT '',
        tls_key TEXT NOT NULL DEFAULT '',
        backend_tls INTEGER NOT NULL DEFAULT 0,
        send_proxy_protocol INTEGER NOT NULL DEFAULT 0,
        backend_protocol TEXT NOT NULL DEFAULT 'auto',
        backend_tls_verify INTEGER NOT NULL DEFAULT 0,
        backend_ca TEXT NOT NULL DEFAULT '',
        backend_server_name TEXT NOT NULL DEFAULT '',
        UNIQUE(listener_id, hostname)
      )`,
      `INSERT INTO routes_new (id, listener_id, hostname, backend, mode, tls_cert, tls_key,
          backend_tls, send_proxy_protocol, backend_protocol, backend_tls_verify, backend_ca,
          backend_server_name)
        SELECT id, listener_id, hostname, backend, mode, tls_cert, tls_key,
          backend_tls, send_proxy_protocol, backend_protocol, backend_tls_verify, backend_ca,
          backend_server_name FROM routes ORDER BY id`,
      "DROP TABLE routes",
      "ALTER TABLE routes_new RENAME TO routes",
      ...rebuilt("firewall_rules", "id, type, value, reason, expires_at, hits, created_at", [
        "id INTEGER PRIMARY KEY AUTOINCREMENT",
        "type TEXT NOT NULL",
        "value TEXT NOT NULL",
        "reason TEXT NOT NULL DEFAULT ''",
        "expires_at INTEGER",
        "hits INTEGER NOT NULL DEFAULT 0 CHECK(hits >= 0)",
        "created_at INTEGER",
        "UNIQUE(type, value)",
      ]),
      "CREATE INDEX firewall_rules_by_expiry ON firewall_rules (expires_at)",
      `CREATE TRIGGER seeded_by_rule AFTER INSERT ON firewall_rules
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
      ...rebuilt("l7_policies", "id, route_id, type, value", [
        "id INTEGER PRIMARY KEY AUTOINCREMENT",
        "route_id INTEGER NOT NULL REFERENCES routes(id) ON DELETE CASCADE",
        "type TEXT NOT NULL",
        "value TEXT NOT NULL",
        "UNIQUE(route_id, type, value)",
      ]),
    ],
  },
  {
    // Which process writes, and the one that it takes over from; see write_role.ts.
    version: 11,
    statements: [
      "ALTER TABLE identity ADD COLUMN writer TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE identity ADD COLUMN previous TEXT NOT NULL DEFAULT ''",
    ],
  },
  {
    // Rules that allow. One may be about the same as one that blocks, which it lifts for a time.
    version: 12,
    statements: [
      ...rebuilt("firewall_rules", "id, type, value, reason, expires_at, hits, created_at", [
        "id INTEGER PRIMARY KEY AUTOINCREMENT",
        "action TEXT NOT NULL DEFAULT 'block'",
        "type TEXT NOT NULL",
        "value TEXT NOT NULL",
        "reason TEXT NOT NULL DEFAULT ''",
        "expires_at INTEGER",
        "hits INTEGER NOT NULL DEFAULT 0 CHECK(hits >= 0)",
        "created_at INTEGER",
        "UNIQUE(action, type, value)",
      ]),
      "CREATE INDEX firewall_rules_by_expiry ON firewall_rules (expires_at)",
      `CREATE TRIGGER seeded_by_rule AFTER INSERT ON firewall_rules
        BEGIN INSERT OR IGNORE INTO seeded VALUES (1); END`,
    ],
  },
  {
    // Every status asks for the rules that block most; of a million few have blocked anybody.
    version: 13,
    statements: ["CREATE INDEX firewall_rules_by_hits ON firewall_rules (hits) WHERE hits > 0"],
  },
  {
    // Certificates from an authority: the account, what was issued, and how each name's order stands.
    version: 14,
    statements: [
      `CREATE TABLE acme_accounts (
        directory TEXT PRIMARY KEY,
        url TEXT NOT NULL DEFAULT '',
        key_pem TEXT NOT NULL
      )`,
      `CREATE TABLE acme_certificates (
        name TEXT PRIMARY KEY,
        directory TEXT NOT NULL,
        cert_pem TEXT NOT NULL,
        key_pem TEXT NOT NULL,
        issued_at INTEGER NOT NULL,
        renew_at INTEGER NOT NULL
      )`,
      `CREATE TABLE acme_orders (
        name TEXT PRIMARY KEY,
        directory TEXT NOT NULL,
        url TEXT NOT NULL DEFAULT '',
        key_pem TEXT NOT NULL DEFAULT '',
        failures INTEGER NOT NULL DEFAULT 0 CHECK(failures >= 0),
        next_at INTEGER NOT NULL DEFAULT 0,
        last_error TEXT NOT NULL DEFAULT ''
      )`,
      "CREATE TABLE acme_attempts (name TEXT NOT NULL, time INTEGER NOT NULL)",
      "CREATE INDEX acme_attempts_by_time ON acme_attempts (time)",
    ],
  },
  // What came with fields of the state alone.
  { version: 15, statements: [] },
  { version: 16, statements: [] },
  { version: 17, statements: [] },
  { version: 18, statements: [] },
  {
    // What proves the name of an order, so that another process can show it too, and the key that an
    // account is about to go over to.
    version: 19,
    statements: [
      "ALTER TABLE acme_orders ADD COLUMN proof_type TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE acme_orders ADD COLUMN proof_token TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE acme_orders ADD COLUMN key_authorization TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE acme_accounts ADD COLUMN next_key_pem TEXT NOT NULL DEFAULT ''",
    ],
  },
  // What came with fields of the state alone.
  { version: 20, statements: [] },
  { version: 21, statements: [] },
  {
    // Decisions about changes of records that the name server has yet to confirm.
    version: 22,
    statements: [
      `CREATE TABLE dns_changes (
        id TEXT PRIMARY KEY,
        content TEXT NOT NULL CHECK(json_valid(content)),
        actor TEXT NOT NULL,
        decided_at INTEGER NOT NULL
      )`,
    ],
  },
  {
    // The sets of records that were made of routes, as they were made.
    version: 23,
    statements: [
      `CREATE TABLE dns_published (
        zone TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        ttl INTEGER NOT NULL,
        content TEXT NOT NULL CHECK(json_valid(content)),
        PRIMARY KEY (zone, name, type)
      )`,
    ],
  },
  {
    // What this proxy has seen of what its group shares.
    version: 24,
    statements: [
      `CREATE TABLE shared_secrets (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        digest TEXT NOT NULL,
        content TEXT NOT NULL
      )`,
    ],
  },
];

/** Builds a table with AUTOINCREMENT anew; ids that were taken before stay taken. */
function rebuilt(table: string, columns: string, definitions: readonly string[]): string[] {
  return [
    `CREATE TABLE ${table}_new (${definitions.join(", ")})`,
    `INSERT INTO ${table}_new (${columns}) SELECT ${columns} FROM ${table} ORDER BY id`,
    `DELETE FROM sqlite_sequence WHERE name = '${table}_new'`,
    `INSERT INTO sqlite_sequence (name, seq)
      SELECT '${table}_new', seq FROM sqlite_sequence WHERE name = '${table}'`,
    `DROP TABLE ${table}`,
    `ALTER TABLE ${table}_new RENAME TO ${table}`,
  ];
}
