import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { FOUNDATION } from "../../../lib/sqlite/mod.ts";
import { AuditLog } from "../../../lib/sqlite/audit_log.ts";
import { Statements } from "../../../lib/sqlite/statements.ts";

Deno.test("AuditLog keeps the last hundred thousand entries", () => {
  using database = new DatabaseSync(":memory:");
  for (const statement of FOUNDATION) database.exec(statement);
  const log = new AuditLog(new Statements(database));
  const add = () =>
    log.add({ time: 1, actor: "uid 0", action: "A", subject: "s", before: "", after: "" });
  const ids = () => log.list({ limit: 10 }).map(({ id }) => id);
  add();
  add();
  database.exec("UPDATE sqlite_sequence SET seq = 99999 WHERE name = 'audit_log'");
  add();
  assert.deepEqual(ids(), [100_000, 2, 1]);
  add();
  assert.deepEqual(ids(), [100_001, 100_000, 2]);
  add();
  assert.deepEqual(ids(), [100_002, 100_001, 100_000]);
  assert.equal(log.revision, 100_002);
});
