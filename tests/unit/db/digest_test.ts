import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { computeDigest, hashRow } from "../../../lib/sqlite/digest.ts";
import { SCHEMA } from "../../../lib/db/migrations.ts";
import { openDatabase } from "../../../lib/db/mod.ts";
import { STATE_TABLES } from "../../../lib/db/tables.ts";
import { createRandom } from "../../support/fuzz.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/**
 * What is not the state: records of what happened, what the database knows of itself, and certificates, which
 * come again.
 */
const OTHER_TABLES = [
  "audit_log",
  "identity",
  "schema_migrations",
  "acme_accounts",
  "acme_certificates",
  "shared_secrets",
  "acme_orders",
  "acme_attempts",
] as const;

Deno.test("every table of the schema is the state or is said not to be", () => {
  using folder = temporaryFolder();
  openDatabase(`${folder.path}/a.db`)[Symbol.dispose]();
  using db = new DatabaseSync(`${folder.path}/a.db`);
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    .map(({ name }) => String(name))
    .filter((name) => !name.startsWith("sqlite_"));
  assert.deepEqual(names.sort(), [...STATE_TABLES, ...OTHER_TABLES].sort());
});

Deno.test("hashRow() tells values, their types, their order and their borders apart", () => {
  const rows = [
    ["a", ["b", "c"]],
    ["a", ["c", "b"]],
    ["a", ["bc"]],
    ["a", ["bc", ""]],
    ["a", ["", "bc"]],
    ["ab", ["c"]],
    ["a", [1]],
    ["a", ["1"]],
    ["a", [null]],
    ["a", ["null"]],
    ["a", []],
    ["a", [""]],
  ] as const;
  assert.equal(new Set(rows.map(([table, values]) => hashRow(table, values))).size, rows.length);
});

Deno.test("hashRow() of a value with any one bit changed is another", () => {
  const random = createRandom(7);
  for (let i = 0; i < 2000; i++) {
    const bytes = random.bytes(1 + random.below(40)).map((byte) => byte & 0x7f);
    const before = hashRow("t", [String.fromCharCode(...bytes)]);
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(7));
    assert.notEqual(hashRow("t", [String.fromCharCode(...bytes)]), before);
  }
});

Deno.test("the digest that triggers keep is that of the rows, after every kind of change", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  using other = new DatabaseSync(`${folder.path}/a.db`, { readOnly: true });
  const seen = new Set<number>();
  const check = (what: string, { isNew = true } = {}) => {
    const digest = db.safekeeping?.identity.digest ?? NaN;
    assert.equal(computeDigest(other, SCHEMA), digest, what);
    assert.equal(!seen.has(digest), isNew, what);
    seen.add(digest);
  };
  check("empty");
  const { id } = db.addListener({ addr: ":443" });
  check("a listener");
  const route = db.addRoute(id, { hostname: "a.example", backend: "b:1", mode: "l7" });
  check("a route");
  db.policies.add(route.id, { type: "require_header", value: "x" });
  check("a policy");
  const rule = db.rules.add({ type: "ip", value: "192.0.2.1", expiresAt: 5 });
  check("a rule");
  db.rules.addHits(new Map([[rule.id, 5]]));
  check("hits are no state", { isNew: false });
  db.rules.update(rule.id, { reason: "why" });
  check("a reason");
  db.settings.setRateLimit({ limit: 1, windowMs: 1000 });
  check("a setting");
  db.settings.setRateLimit({ limit: 2, windowMs: 1000 });
  check("another value of it");
  const { undo } = db.undoable(() => {
    db.updateRoute(route.id, { hostname: "b.example", backend: "c:2" });
    db.removeListener(id);
  });
  check("a removed listener takes its routes and policies along");
  undo();
  check("undone", { isNew: false });
  assert.throws(() =>
    db.transaction(() => {
      db.removeListener(id);
      throw new Error("no");
    })
  );
  check("rolled back", { isNew: false });
});
