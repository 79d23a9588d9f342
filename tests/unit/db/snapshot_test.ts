import assert from "node:assert/strict";
import { openDatabase, SCHEMA_VERSION } from "../../../lib/db/mod.ts";
import { DatabaseSync } from "node:sqlite";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const ROUTE = { hostname: "a.example", backend: "10.0.0.1:443" };

/** A folder with an open database that holds one route. */
function fixture() {
  const folder = temporaryFolder();
  const db = openDatabase(`${folder.path}/a.db`);
  db.addRoute(db.addListener({ addr: ":443" }).id, ROUTE);
  return {
    folder,
    db,
    target: `${folder.path}/copy.db`,
    /** What is in the folder beside the database. */
    others: () => folder.names().filter((name) => !/^a\.db(-wal|-shm)?$/.test(name)),
    [Symbol.dispose]: () => {
      db[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

Deno.test("snapshot() writes one complete file of mode 0600", async () => {
  using f = fixture();
  const snapshot = await f.db.snapshot(f.target);
  const info = Deno.statSync(f.target);
  assert.deepEqual(snapshot, { path: f.target, size: info.size, version: SCHEMA_VERSION });
  assert.equal((info.mode ?? 0) & 0o777, 0o600);
  assert.deepEqual(f.others(), ["copy.db"]);
  // One link: the temporary name is gone.
  assert.equal(info.nlink, 1);
});

Deno.test("a snapshot opens as a database with the same rows", async () => {
  using f = fixture();
  await f.db.snapshot(f.target);
  using copy = openDatabase(f.target);
  assert.deepEqual(copy.listeners(), f.db.listeners());
  assert.deepEqual(copy.routes(1), f.db.routes(1));
});

Deno.test("snapshot() refuses to overwrite, and leaves the file as it was", async () => {
  using f = fixture();
  Deno.writeTextFileSync(f.target, "precious");
  await assert.rejects(f.db.snapshot(f.target), {
    name: "AlreadyExistsError",
    code: "already_exists",
    message: `the file "${f.target}" exists already`,
  });
  assert.equal(Deno.readTextFileSync(f.target), "precious");
  assert.deepEqual(f.others(), ["copy.db"]);
});

Deno.test("snapshot() refuses a file that appears while it works", async () => {
  using f = fixture();
  const running = f.db.snapshot(f.target);
  Deno.writeTextFileSync(f.target, "precious");
  await assert.rejects(running, { code: "already_exists" });
  assert.equal(Deno.readTextFileSync(f.target), "precious");
  assert.deepEqual(f.others(), ["copy.db"]);
});

Deno.test("snapshot() overwrites when told, and restricts the mode", async () => {
  using f = fixture();
  await f.db.snapshot(f.target);
  f.db.addRoute(1, { ...ROUTE, hostname: "later.example" });
  Deno.chmodSync(f.target, 0o644);
  await f.db.snapshot(f.target, { overwrite: true });
  assert.equal((Deno.statSync(f.target).mode ?? 0) & 0o777, 0o600);
  using copy = openDatabase(f.target, { readOnly: true });
  assert.equal(copy.routes(1).length, 2);
});

Deno.test("snapshot() replaces nothing but a snapshot, whatever it is told", async () => {
  using f = fixture();
  const make = (fill: (db: DatabaseSync) => void) => (path: string) => {
    const db = new DatabaseSync(path);
    fill(db);
    db.close();
  };
  const cases: Record<string, (path: string) => void> = {
    "a private key": (path) => Deno.writeTextFileSync(path, "-----BEGIN PRIVATE KEY-----"),
    "an empty file": (path) => Deno.writeTextFileSync(path, ""),
    "the beginning of a database": (path) => Deno.writeTextFileSync(path, "SQLite format 3\0"),
    "a database of another program": make((db) => db.exec("CREATE TABLE users (id)")),
    "an empty database": make((db) => db.exec("PRAGMA user_version = 1; VACUUM")),
    "a live database of another proxy": (path) => openDatabase(path)[Symbol.dispose](),
    "a link to a snapshot": (path) => {
      Deno.writeTextFileSync(`${path}.real`, "");
      Deno.symlinkSync(`${path}.real`, path);
    },
  };
  for (const [name, write] of Object.entries(cases)) {
    write(f.target);
    const before = Deno.readFileSync(f.target);
    await assert.rejects(f.db.snapshot(f.target, { overwrite: true }), (error) => {
      const { code } = error as { code: string };
      assert.equal(code, name.startsWith("a link") ? "cannot_open" : "not_a_snapshot", name);
      return true;
    });
    assert.deepEqual(Deno.readFileSync(f.target), before, name);
    Deno.removeSync(f.target);
  }
});

Deno.test("snapshot() replaces no file that appears while it works but a snapshot", async () => {
  using f = fixture();
  const running = f.db.snapshot(f.target, { overwrite: true });
  Deno.writeTextFileSync(f.target, "precious");
  await assert.rejects(running, { code: "not_a_snapshot" });
  assert.equal(Deno.readTextFileSync(f.target), "precious");
});

Deno.test.each([["a.db"], ["a.db-wal"], ["a.db-shm"], ["a.db-journal"], ["link.db"], ["hard.db"]])(
  "snapshot() never replaces the live database: %s",
  async (name) => {
    using f = fixture();
    Deno.symlinkSync(`${f.folder.path}/a.db`, `${f.folder.path}/link.db`);
    Deno.linkSync(`${f.folder.path}/a.db`, `${f.folder.path}/hard.db`);
    const write = f.db.snapshot(`${f.folder.path}/${name}`, { overwrite: true });
    await assert.rejects(write, { code: "not_permitted" });
    assert.equal(f.db.routes(1).length, 1);
  },
);

Deno.test("snapshot() names a directory that is missing", async () => {
  using f = fixture();
  await assert.rejects(f.db.snapshot(`${f.folder.path}/no/copy.db`), {
    name: "DatabaseError",
    code: "missing_directory",
  });
});

Deno.test("snapshot() refuses a directory as the file", async () => {
  using f = fixture();
  await assert.rejects(f.db.snapshot(f.folder.path, { overwrite: true }), { code: "cannot_open" });
});

Deno.test("snapshot() is consistent while rows are written", async () => {
  using f = fixture();
  let writes = 0;
  const addPair = () => {
    const hostname = `h${writes++}.example`;
    f.db.transaction(() => {
      f.db.addRoute(1, { ...ROUTE, hostname });
      f.db.addFirewallRule({ type: "ip", value: `10.0.${writes >> 8}.${writes & 255}` });
    });
  };
  for (let i = 0; i < 300; i++) addPair();
  const running = f.db.snapshot(f.target);
  for (let i = 0; i < 20; i++) {
    addPair();
    await Promise.resolve();
  }
  await running;
  using copy = openDatabase(f.target, { readOnly: true });
  const [routes, rules] = [copy.routes(1).length - 1, copy.firewallRules().length];
  assert.equal(routes, rules);
  assert(routes >= 300 && routes <= 320, String(routes));
});

Deno.test("two snapshots at one time both succeed", async () => {
  using f = fixture();
  const targets = [f.target, `${f.folder.path}/other.db`];
  await Promise.all(targets.map((target) => f.db.snapshot(target)));
  assert.deepEqual(f.others(), ["copy.db", "other.db"]);
});

Deno.test("a read-only database of an older version can be copied as it is", async () => {
  using folder = temporaryFolder();
  const [file, target] = [`${folder.path}/a.db`, `${folder.path}/copy.db`];
  {
    using old = new DatabaseSync(file);
    old.exec(`CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT);
      INSERT INTO schema_migrations VALUES (1, 'then');
      CREATE TABLE listeners (id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE)`);
  }
  using db = openDatabase(file, { readOnly: true });
  assert.equal(db.version, 1);
  assert.equal((await db.snapshot(target)).version, 1);
});

Deno.test("snapshot() of a closed database is refused and leaves nothing", async () => {
  using folder = temporaryFolder();
  const db = openDatabase(`${folder.path}/a.db`);
  db[Symbol.dispose]();
  await assert.rejects(db.snapshot(`${folder.path}/copy.db`), { name: "DatabaseError" });
  assert.deepEqual(folder.names(), ["a.db"]);
});
