import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  acceptDatabase,
  DatabaseError,
  openDatabase,
  SCHEMA_VERSION,
} from "../../../lib/db/mod.ts";
import { MIGRATIONS } from "../../../lib/db/migrations.ts";
import { migrate } from "../../../lib/sqlite/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** A database of the first version as another program would have written it, with rows. */
const V1 = `
  CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
  CREATE TABLE listeners (id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE);
  CREATE TABLE routes (
    id INTEGER PRIMARY KEY,
    listener_id INTEGER NOT NULL REFERENCES listeners(id) ON DELETE CASCADE,
    hostname TEXT NOT NULL,
    backend TEXT NOT NULL,
    UNIQUE(listener_id, hostname)
  );
  CREATE TABLE firewall_rules (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL CHECK(type IN ('ip','cidr','country')),
    value TEXT NOT NULL,
    UNIQUE(type, value)
  );
  INSERT INTO schema_migrations VALUES (1, '2024-01-01 00:00:00');
  INSERT INTO listeners VALUES (3, ':443'), (7, ':8443');
  INSERT INTO routes VALUES (11, 3, 'a.example', '10.0.0.1:443'), (12, 7, 'a.example', '10.0.0.2:1');
  INSERT INTO routes VALUES (20, 3, '*.B.Example.', '10.0.0.3:443');
  INSERT INTO firewall_rules VALUES (5, 'ip', '192.0.2.1'), (6, 'country', 'de');
`;

/** What the design says of the second version, word for word, and some values. */
const V2 = `
  ALTER TABLE listeners ADD COLUMN proxy_protocol INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE routes ADD COLUMN mode TEXT NOT NULL DEFAULT 'l4' CHECK(mode IN ('l4','l7'));
  ALTER TABLE routes ADD COLUMN tls_cert TEXT NOT NULL DEFAULT '';
  ALTER TABLE routes ADD COLUMN tls_key TEXT NOT NULL DEFAULT '';
  ALTER TABLE routes ADD COLUMN backend_tls INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE routes ADD COLUMN send_proxy_protocol INTEGER NOT NULL DEFAULT 0;
  INSERT INTO schema_migrations VALUES (2, '2025-01-01 00:00:00');
  UPDATE listeners SET proxy_protocol = 1 WHERE id = 7;
  UPDATE routes SET mode = 'l7', tls_cert = '/c', tls_key = '/k', backend_tls = 1 WHERE id = 12;
  UPDATE routes SET send_proxy_protocol = 1 WHERE id = 11;
`;

function execute(file: string, sql: string): void {
  using db = new DatabaseSync(file);
  db.exec(sql);
}

function query(file: string, sql: string): string[] {
  using db = new DatabaseSync(file);
  return db.prepare(sql).all().map((row) => Object.values({ ...row }).join("|"));
}

const L4 = {
  mode: "l4",
  tlsCert: "",
  tlsKey: "",
  backendTls: false,
  sendProxyProtocol: false,
} as const;

Deno.test("openDatabase() migrates a first version with rows and keeps every one", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  execute(file, V1);
  using db = openDatabase(file);
  assert.equal(db.version, SCHEMA_VERSION);
  const plain = { proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
  assert.deepEqual(db.listeners(), [
    { id: 3, addr: ":443", ...plain },
    { id: 7, addr: ":8443", ...plain },
  ]);
  assert.deepEqual(db.routes(3), [
    { id: 11, listenerId: 3, hostname: "a.example", backend: "10.0.0.1:443", ...L4 },
    { id: 20, listenerId: 3, hostname: "*.b.example", backend: "10.0.0.3:443", ...L4 },
  ]);
  assert.deepEqual(db.routes(7), [
    { id: 12, listenerId: 7, hostname: "a.example", backend: "10.0.0.2:1", ...L4 },
  ]);
  assert.deepEqual(db.firewallRules(), [
    { id: 5, type: "ip", value: "192.0.2.1" },
    { id: 6, type: "country", value: "DE" },
  ]);
});

Deno.test("openDatabase() migrates a second version with all of its columns", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  execute(file, V1 + V2);
  using db = openDatabase(file);
  assert.deepEqual(db.listeners().map(({ id, proxyProtocol }) => [id, proxyProtocol]), [
    [3, false],
    [7, true],
  ]);
  assert.equal(db.routes(3)[0]?.sendProxyProtocol, true);
  assert.deepEqual(db.routes(7)[0], {
    id: 12,
    listenerId: 7,
    hostname: "a.example",
    backend: "10.0.0.2:1",
    mode: "l7",
    tlsCert: "/c",
    tlsKey: "/k",
    backendTls: true,
    sendProxyProtocol: false,
  });
});

Deno.test("a migrated database keeps its references and uniqueness", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  execute(file, V1);
  {
    using db = openDatabase(file);
    db.addRoute(3, { hostname: "m.example", backend: "", mode: "mtls" });
    db.removeListener(7);
    assert.deepEqual(db.routes(7), []);
    assert.throws(() => db.addRoute(99, { hostname: "x", backend: "y" }), { code: "not_found" });
  }
  const insert = "INSERT INTO routes (listener_id, hostname, backend, mode) VALUES ";
  assert.throws(() => execute(file, `${insert} (3, 'a.example', 'y', 'l4')`), /UNIQUE/);
  assert.deepEqual(query(file, "PRAGMA foreign_key_check"), []);
});

Deno.test.each([
  ["a mode", "routes (listener_id, hostname, backend, mode) VALUES (3, 'x', 'y', 'l5')", "mode"],
  ["a rule's type", "firewall_rules (type, value) VALUES ('asn', '1')", "type"],
  ["a policy's type", "l7_policies (route_id, type, value) VALUES (11, 'x', 'y')", "type"],
  [
    "a backend protocol",
    "routes (listener_id, hostname, backend, backend_protocol) VALUES (3, 'x', 'y', 'h3')",
    "backend_protocol",
  ],
])("%s that is unknown is refused and not read as another", (_what, insert, column) => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  execute(file, V1);
  openDatabase(file)[Symbol.dispose]();
  execute(file, `INSERT INTO ${insert}`);
  acceptDatabase(file);
  using db = openDatabase(file);
  assert.throws(
    () => [db.routes(3), db.rules.list(), db.policies.list()],
    new RegExp(`has an unexpected value in the column ${column}$`),
  );
});

Deno.test("ids of listeners, routes, rules and policies are never used again", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  const before = MIGRATIONS.slice(0, 8);
  {
    using db = new DatabaseSync(file);
    migrate(db, before);
    db.exec(`INSERT INTO firewall_rules (id, type, value) VALUES (1, 'ip', '192.0.2.1'),
      (9, 'ip', '192.0.2.2'); DELETE FROM firewall_rules WHERE id = 9`);
  }
  using db = openDatabase(file);
  // An id that was taken before the table was built anew stays taken.
  assert.equal(db.rules.add({ type: "ip", value: "192.0.2.3" }).id, 10);
  const listener = db.addListener({ addr: ":1" });
  const route = db.addRoute(listener.id, { hostname: "a.example", backend: "b:1" });
  db.removeListener(listener.id);
  const again = db.addListener({ addr: ":1" });
  assert.ok(again.id > listener.id);
  const { id } = db.addRoute(again.id, { hostname: "a.example", backend: "b:1" });
  assert.ok(id > route.id);
});

Deno.test("a migrated database counts as seeded if it had rows, and only then", () => {
  const seed = {
    listeners: [{ addr: ":1", routes: [] }],
    firewall: { blockedIps: [], blockedCidrs: [], blockedCountries: [] },
  };
  using folder = temporaryFolder();
  execute(`${folder.path}/rows.db`, V1);
  using withRows = openDatabase(`${folder.path}/rows.db`);
  assert.equal(withRows.seed(seed), false);
  execute(
    `${folder.path}/none.db`,
    `${V1} DELETE FROM routes; DELETE FROM listeners; DELETE FROM firewall_rules;`,
  );
  using withoutRows = openDatabase(`${folder.path}/none.db`);
  assert.equal(withoutRows.seed(seed), true);
});

Deno.test("the first two migrations make exactly the columns of the design", () => {
  using folder = temporaryFolder();
  const [ours, theirs] = [`${folder.path}/ours.db`, `${folder.path}/theirs.db`];
  execute(theirs, V1 + V2);
  {
    using db = new DatabaseSync(ours);
    migrate(db, MIGRATIONS.slice(0, 2));
  }
  for (const table of ["listeners", "routes", "firewall_rules", "schema_migrations"]) {
    for (const pragma of ["table_info", "index_list", "foreign_key_list"]) {
      const sql = `PRAGMA ${pragma}(${table})`;
      assert.deepEqual(query(ours, sql), query(theirs, sql), sql);
    }
  }
});

Deno.test("each migration leaves its version row with the time", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  openDatabase(file)[Symbol.dispose]();
  const rows = query(file, "SELECT version, applied_at FROM schema_migrations ORDER BY version");
  assert.equal(rows.length, SCHEMA_VERSION);
  for (const [i, row] of rows.entries()) {
    assert.match(row, new RegExp(`^${i + 1}\\|\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z$`));
  }
  assert.deepEqual(MIGRATIONS.map(({ version }) => version), rows.map((_, i) => i + 1));
});

Deno.test("opening again migrates nothing", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  openDatabase(file)[Symbol.dispose]();
  const before = query(file, "SELECT version, applied_at FROM schema_migrations");
  openDatabase(file)[Symbol.dispose]();
  assert.deepEqual(query(file, "SELECT version, applied_at FROM schema_migrations"), before);
});

Deno.test("openDatabase() refuses a newer schema and leaves it as it is", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  openDatabase(file)[Symbol.dispose]();
  execute(file, "INSERT INTO schema_migrations VALUES (999, 'later')");
  for (const readOnly of [false, true]) {
    assert.throws(() => openDatabase(file, { readOnly }), {
      name: "DatabaseError",
      code: "newer_schema",
      message: `cannot open the database "${file}": the database has version 999 and this ` +
        `program knows ${SCHEMA_VERSION}: a newer one wrote it`,
    });
  }
  const count = query(file, "SELECT count(*) FROM schema_migrations");
  assert.deepEqual(count, [String(SCHEMA_VERSION + 1)]);
});

Deno.test.each([
  ["a bad statement", "NONSENSE"],
  ["a row that refers to nothing", "UPDATE routes SET listener_id = 99 WHERE id = 11"],
])("a migration that fails on %s leaves the version before it, and every row", (_what, broken) => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  execute(file, V1);
  const statements = ["CREATE TABLE half (id INTEGER)", "DELETE FROM firewall_rules", broken];
  const migrations = [...MIGRATIONS.slice(0, 4), { version: 5, statements }];
  {
    using db = new DatabaseSync(file);
    assert.throws(() => migrate(db, migrations), (error) => {
      assert(error instanceof DatabaseError);
      assert.match(error.message, /version 5|refers to nothing/);
      return true;
    });
    assert.equal(db.isTransaction, false);
    assert.equal(db.prepare("PRAGMA foreign_keys").get()?.foreign_keys, 1);
  }
  assert.deepEqual(query(file, "SELECT max(version) FROM schema_migrations"), ["4"]);
  assert.deepEqual(query(file, "SELECT count(*) FROM firewall_rules"), ["2"]);
  assert.deepEqual(query(file, "SELECT listener_id FROM routes WHERE id = 11"), ["3"]);
  assert.deepEqual(query(file, "SELECT name FROM sqlite_schema WHERE name = 'half'"), []);
  using repaired = openDatabase(file);
  assert.equal(repaired.version, SCHEMA_VERSION);
});

Deno.test("an empty database gets every migration, or none of them", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  const broken = { version: 5, statements: ["CREATE TABLE half (id INTEGER)", "NONSENSE"] };
  {
    using db = new DatabaseSync(file);
    assert.throws(() => migrate(db, [...MIGRATIONS.slice(0, 4), broken]), /version 5/);
    assert.equal(db.isTransaction, false);
    assert.equal(db.prepare("PRAGMA foreign_keys").get()?.foreign_keys, 1);
  }
  assert.deepEqual(query(file, "SELECT name FROM sqlite_schema"), []);
  using repaired = openDatabase(file);
  assert.equal(repaired.version, SCHEMA_VERSION);
});

Deno.test("tables that are built anew keep every row, its id, what refers to it, and their triggers", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  {
    using db = new DatabaseSync(file);
    migrate(db, MIGRATIONS.slice(0, 8));
    db.exec(`
      INSERT INTO listeners VALUES (3, ':443', 1, 9, '["10.0.0.0/8"]'), (7, ':8443', 0, 0, '[]');
      INSERT INTO routes VALUES (11, 3, 'a.example', 'b:1', 'l7', '/c', '/k', 1, 1, 'h2', 1, '/ca', 'n');
      INSERT INTO routes (id, listener_id, hostname, backend) VALUES (12, 7, 'b.example', 'b:2');
      INSERT INTO firewall_rules VALUES (5, 'ip', '192.0.2.1', 'why', 9000, 42, 1000);
      INSERT INTO l7_policies VALUES (8, 11, 'block_user_agent', 'bot');
      INSERT INTO settings VALUES ('rate_limit', '{"limit":5,"windowMs":1000}');
      DELETE FROM seeded`);
  }
  using db = openDatabase(file);
  assert.deepEqual(db.listeners()[0], {
    id: 3,
    addr: ":443",
    proxyProtocol: true,
    maxConnections: 9,
    trustedProxies: ["10.0.0.0/8"],
  });
  assert.deepEqual(db.routes(3), [{
    id: 11,
    listenerId: 3,
    hostname: "a.example",
    backend: "b:1",
    mode: "l7",
    tlsCert: "/c",
    tlsKey: "/k",
    backendTls: true,
    sendProxyProtocol: true,
    backendProtocol: "h2",
    backendTlsVerify: true,
    backendCa: "/ca",
    backendServerName: "n",
  }]);
  assert.deepEqual(db.rules.list(), [{
    id: 5,
    type: "ip",
    value: "192.0.2.1",
    reason: "why",
    expiresAt: 9000,
    hits: 42,
    createdAt: 1000,
  }]);
  assert.deepEqual(db.policies.list(), [
    { id: 8, routeId: 11, type: "block_user_agent", value: "bot" },
  ]);
  assert.deepEqual(db.settings.rateLimit, { limit: 5, windowMs: 1000 });
  // The marker of a seed comes by itself again.
  db.addListener({ addr: ":1" });
  assert.deepEqual(query(file, "SELECT count(*) FROM seeded"), ["1"]);
  // What belongs to a listener goes with it.
  db.removeListener(3);
  assert.deepEqual(db.policies.list(), []);
  assert.deepEqual(query(file, "PRAGMA foreign_key_check"), []);
});
