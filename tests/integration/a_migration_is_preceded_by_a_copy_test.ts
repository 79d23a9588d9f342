import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { copyBeforeMigration } from "../../lib/cli/migration_snapshot.ts";
import { openDatabase, SCHEMA_VERSION } from "../../lib/db/mod.ts";
import { startProxy } from "../support/proxy.ts";
import { unusedPort } from "../support/ports.ts";

/** A database as the first version left it. */
function writeFirstVersion(path: string, addr: string): void {
  using db = new DatabaseSync(path);
  db.exec(`
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
    CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
    INSERT INTO schema_migrations VALUES (1, '2025-01-01 00:00:00');
    INSERT INTO listeners VALUES (1, '${addr}');
    INSERT INTO routes VALUES (1, 1, 'a.test', '10.0.0.1:443');
  `);
}

Deno.test("an upgrade copies the database before it migrates it, and logs both versions and the path", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  try {
    const path = join(folder, "mine.db");
    const addr = `127.0.0.1:${await unusedPort()}`;
    writeFirstVersion(path, addr);
    const config = { database: { path }, listeners: [{ addr }] };
    let copy = "";
    {
      await using proxy = await startProxy({ folder, config });
      const [event] = proxy.events("database migrated");
      assert.deepEqual([event?.from, event?.to], [1, SCHEMA_VERSION]);
      copy = String(event?.copy);
    }
    {
      using before = new DatabaseSync(copy, { readOnly: true });
      const versions = before.prepare("SELECT max(version) AS it FROM schema_migrations").get();
      assert.equal(versions?.it, 1);
      assert.equal(before.prepare("SELECT hostname FROM routes").get()?.hostname, "a.test");
    }
    using after = openDatabase(path, { readOnly: true });
    assert.equal(after.version, SCHEMA_VERSION);
    assert.equal(await copyBeforeMigration(path), undefined, "once is enough");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a database that cannot be copied is not migrated", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  try {
    const path = join(folder, "mine.db");
    writeFirstVersion(path, ":443");
    // A name that leaves no room for that of a copy: 255 octets are the most.
    const long = join(folder, `${"n".repeat(240)}.db`);
    await Deno.rename(path, long);
    await assert.rejects(
      copyBeforeMigration(long),
      /the database is not migrated from version 1 to \d+, because it cannot be copied before: /,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
