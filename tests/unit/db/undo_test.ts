import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Database, openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const TABLES = [
  "listeners",
  "routes",
  "firewall_rules",
  "l7_policies",
  "settings",
  "audit_log",
  "seeded",
];

/** Every row of every table, ids included. */
function dump(path: string): Record<string, unknown[]> {
  using db = new DatabaseSync(path, { readOnly: true });
  const rows = (table: string) => db.prepare(`SELECT * FROM ${table} ORDER BY 1`).all();
  return Object.fromEntries(TABLES.map((table) => [table, rows(table).map((row) => ({ ...row }))]));
}

function fill(db: Database): { listener: number; route: number; rule: number } {
  const { id: listener } = db.addListener({ addr: ":443", trustedProxies: ["10.0.0.0/8"] });
  const hostname = "it's.example";
  const { id: route } = db.addRoute(listener, { hostname, backend: "b:1", mode: "l7" });
  db.policies.add(route, { type: "require_header", value: "x-api-key" });
  const { id: rule } = db.rules.add({
    type: "ip",
    value: "192.0.2.1",
    reason: 'a "b"\n',
    expiresAt: 9,
  });
  db.settings.setRateLimit({ limit: 3, windowMs: 1000 });
  return { listener, route, rule };
}

const EVERYTHING = "undo() brings back every table, ids and cascaded rows included";

Deno.test(EVERYTHING, () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  const { listener, route, rule } = fill(db);
  const before = dump(db.path);
  const { result, undo } = db.undoable(() => {
    db.updateRoute(route, { hostname: "other.example", backend: "c:2" });
    db.rules.update(rule, { reason: "" });
    db.rules.addHits(new Map([[rule, 5]]));
    db.settings.setRateLimit({ limit: 0, windowMs: 1000 });
    db.audit.add({ time: 1, actor: "a", action: "b", subject: "c", before: "", after: "" });
    const { id } = db.addListener({ addr: ":1" });
    db.addRoute(id, { hostname: "a.example", backend: "b:1" });
    db.removeListener(listener);
    return db.rules.add({ type: "country", value: "DE" }).id;
  });
  assert.ok(result > rule);
  assert.notDeepEqual(dump(db.path), before);
  undo();
  assert.deepEqual(dump(db.path), before);
});

Deno.test("undo() takes back the last recorded transaction alone", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  db.undoable(() => fill(db));
  const before = dump(db.path);
  const { undo } = db.undoable(() => db.addListener({ addr: ":2" }));
  db.rules.addHits(new Map([[1, 1]]));
  undo();
  const after = dump(db.path);
  assert.deepEqual(after.listeners, before.listeners);
  assert.equal(db.rules.get(1)?.hits, 1);
});

Deno.test("undoable() that throws changes nothing and keeps the caller's error", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  fill(db);
  const before = dump(db.path);
  const mine = new RangeError("mine");
  assert.throws(() =>
    db.undoable(() => {
      db.addListener({ addr: ":3" });
      throw mine;
    }), mine);
  assert.deepEqual(dump(db.path), before);
});
