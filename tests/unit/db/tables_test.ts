import { RULE_QUERIES } from "../../../lib/db/rules.ts";
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { acceptDatabase, openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("rules keep reason, end and age over a restart, and count hits", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  {
    using db = openDatabase(path);
    const { id } = db.rules.add({
      type: "ip",
      value: "192.0.2.1",
      reason: "scans",
      expiresAt: 2000,
      createdAt: 1000,
    });
    db.rules.add({ type: "cidr", value: "10.0.0.0/8" });
    db.rules.addHits(new Map([[id, 3], [99, 1]]));
    db.rules.addHits(new Map([[id, 4]]));
  }
  using db = openDatabase(path);
  const scans = {
    id: 1,
    type: "ip",
    value: "192.0.2.1",
    reason: "scans",
    expiresAt: 2000,
    createdAt: 1000,
    hits: 7,
  };
  assert.deepEqual(db.rules.list(), [
    scans,
    { id: 2, type: "cidr", value: "10.0.0.0/8", reason: "", hits: 0 },
  ]);
  assert.deepEqual(db.rules.find({ type: "ip", value: "192.0.2.1" }), scans);
  assert.equal(db.rules.find({ type: "ip", value: "192.0.2.2" }), undefined);
  assert.deepEqual(db.rules.top(10), [scans]);
  assert.equal(db.rules.nextExpiry(), 2000);
  assert.deepEqual(db.rules.expired(1999), []);
  assert.deepEqual(db.rules.expired(2000), [scans]);
  assert.equal(db.rules.hits, 7);
});

Deno.test("a rule's id is never used again", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  const first = db.rules.add({ type: "ip", value: "192.0.2.1" });
  db.rules.remove(first.id);
  assert.ok(db.rules.add({ type: "ip", value: "192.0.2.1" }).id > first.id);
});

Deno.test("rules.normalise() rewrites other spellings and drops a second one of the same", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  openDatabase(path)[Symbol.dispose]();
  {
    using db = new DatabaseSync(path);
    db.exec(`INSERT INTO firewall_rules (id, type, value) VALUES
      (1, 'country', 'de'), (2, 'country', 'DE'), (3, 'ip', '::FFFF:192.0.2.1')`);
  }
  acceptDatabase(path);
  using db = openDatabase(path);
  db.rules.normalise();
  assert.deepEqual(db.rules.list().map(({ id, value }) => [id, value]), [
    [2, "DE"],
    [3, "192.0.2.1"],
  ]);
});

Deno.test("policies belong to a route, each once, and go with it", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  const { id: listener } = db.addListener({ addr: ":443" });
  const { id: route } = db.addRoute(listener, { hostname: "a.example", backend: "b:1" });
  const bots = { type: "block_user_agent", value: "bot" } as const;
  const { id } = db.policies.add(route, bots);
  assert.throws(() => db.policies.add(route, bots), { code: "already_exists" });
  assert.throws(() => db.policies.add(99, bots), { code: "not_found" });
  assert.deepEqual(db.policies.list(route), [{ id, routeId: route, ...bots }]);
  db.policies.remove(route, bots);
  assert.throws(() => db.policies.remove(route, bots), { code: "not_found" });
  db.policies.add(route, bots);
  db.removeListener(listener);
  assert.deepEqual(db.policies.list(), []);
});

Deno.test("the rate limit is unknown until it is set", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  assert.equal(db.settings.rateLimit, undefined);
  db.settings.setRateLimit({ limit: 0, windowMs: 1000 });
  db.settings.setRateLimit({ limit: 5, windowMs: 2000 });
  assert.deepEqual(db.settings.rateLimit, { limit: 5, windowMs: 2000 });
});

Deno.test("the audit log pages from the latest entry, and its revision never goes back", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  assert.equal(db.audit.revision, 0);
  const entry = (time: number) => ({
    time,
    actor: "uid 1",
    action: "AddRoute",
    subject: ":443 a.example",
    before: "",
    after: "{}",
  });
  for (let time = 1; time <= 5; time++) db.audit.add(entry(time));
  assert.deepEqual(db.audit.list({ limit: 2 }), [{ id: 5, ...entry(5) }, { id: 4, ...entry(4) }]);
  assert.deepEqual(db.audit.list({ limit: 9, beforeId: 3 }).map(({ id }) => id), [2, 1]);
  const { undo } = db.undoable(() => db.audit.add(entry(6)));
  undo();
  assert.equal(db.audit.list({ limit: 1 })[0]?.id, 5);
  assert.equal(db.audit.revision, 6);
});

Deno.test("what a status asks of the rules is found by an index", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  {
    using db = openDatabase(path);
    db.rules.add({ type: "ip", value: "192.0.2.1" });
  }
  using db = new DatabaseSync(path, { readOnly: true });
  const plan = (sql: string) =>
    db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => String(detail)).join("; ");
  const { hits, top } = RULE_QUERIES;
  for (const sql of [hits, top]) assert.match(plan(sql), /USING INDEX firewall_rules_by_hits/);
});
