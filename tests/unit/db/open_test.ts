import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Database, type DatabaseErrorCode, openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const modeOf = (file: string) => ((Deno.statSync(file).mode ?? 0) & 0o777).toString(8);

const code = (code: DatabaseErrorCode) => ({ name: "DatabaseError", code });

/** Adds routes until the database refuses, and returns how many were acknowledged. */
function addUntilFull(db: Database): number {
  for (let i = 0; i < 100_000; i++) {
    const route = { hostname: `h${i}.example`, backend: "10.0.0.1:443", tlsCert: "x".repeat(500) };
    try {
      db.addRoute(1, route);
    } catch (error) {
      assert.equal(error instanceof Error && "code" in error && error.code, "disk_full");
      return i;
    }
  }
  throw new Error("never refused");
}

Deno.test("openDatabase() creates the file and its companions with mode 0600", () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  db.addListener({ addr: ":443" });
  assert.deepEqual(folder.names(), ["a.db", "a.db-shm", "a.db-wal"]);
  for (const name of folder.names()) assert.equal(modeOf(`${folder.path}/${name}`), "600", name);
});

Deno.test("openDatabase() restricts the mode of a file that is there", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  openDatabase(file)[Symbol.dispose]();
  Deno.chmodSync(file, 0o644);
  using _db = openDatabase(file);
  for (const name of folder.names()) assert.equal(modeOf(`${folder.path}/${name}`), "600", name);
});

Deno.test("openDatabase() leaves one file behind after closing", () => {
  using folder = temporaryFolder();
  {
    using db = openDatabase(`${folder.path}/a.db`);
    db.addListener({ addr: ":443" });
  }
  assert.deepEqual(folder.names(), ["a.db"]);
});

Deno.test("openDatabase() uses WAL, which a second connection sees", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  using _db = openDatabase(file);
  using other = new DatabaseSync(file);
  assert.equal(other.prepare("PRAGMA journal_mode").get()?.journal_mode, "wal");
});

Deno.test.each([[":memory:"], ["file:a.db?mode=memory"]])(
  "openDatabase() takes %s as the name of a file",
  (name) => {
    using folder = temporaryFolder();
    openDatabase(`${folder.path}/${name}`)[Symbol.dispose]();
    assert.deepEqual(folder.names(), [name]);
  },
);

Deno.test("openDatabase() names a directory that is missing", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/no/a.db`;
  assert.throws(() => openDatabase(file), {
    ...code("missing_directory"),
    message: `cannot open the database "${file}": the directory "${folder.path}/no" does not exist`,
  });
});

Deno.test("openDatabase() refuses a directory as the file", () => {
  using folder = temporaryFolder();
  assert.throws(() => openDatabase(folder.path), code("cannot_open"));
});

Deno.test("openDatabase() refuses a file below a file", () => {
  using folder = temporaryFolder();
  Deno.writeTextFileSync(`${folder.path}/f`, "");
  assert.throws(() => openDatabase(`${folder.path}/f/a.db`), code("missing_directory"));
});

Deno.test("openDatabase() refuses a file that is no database, and does not change it", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  const text = "[database]\npath = 1\n".repeat(100);
  Deno.writeTextFileSync(file, text);
  assert.throws(() => openDatabase(file), code("corrupt"));
  assert.equal(Deno.readTextFileSync(file), text);
});

Deno.test("openDatabase() refuses a database of another program, and does not change it", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  {
    using db = new DatabaseSync(file);
    db.exec("CREATE TABLE cookies (id INTEGER)");
  }
  const before = Deno.readFileSync(file);
  assert.throws(() => openDatabase(file), code("foreign_database"));
  assert.deepEqual(Deno.readFileSync(file), before);
});

/** The bytes of a database with enough rows for damage to matter. */
function databaseBytes(folder: string): Uint8Array {
  {
    using db = openDatabase(`${folder}/whole.db`);
    const { id } = db.addListener({ addr: ":443" });
    db.transaction(() => {
      for (let i = 0; i < 500; i++) {
        db.addRoute(id, { hostname: `h${i}.example`, backend: "10.0.0.1:443" });
      }
    });
  }
  return Deno.readFileSync(`${folder}/whole.db`);
}

Deno.test("openDatabase() refuses a truncated file, wherever it was cut", () => {
  using folder = temporaryFolder();
  const whole = databaseBytes(folder.path);
  for (const length of [50, 1000, 4096, 5000, 8192, whole.length / 2, whole.length - 4096]) {
    Deno.writeFileSync(`${folder.path}/cut.db`, whole.slice(0, length));
    assert.throws(() => openDatabase(`${folder.path}/cut.db`), code("corrupt"), String(length));
  }
});

Deno.test("openDatabase() refuses a file whose pages were overwritten", () => {
  using folder = temporaryFolder();
  const whole = databaseBytes(folder.path);
  // Not the first page: its damage is seen at once. 0xff is no type of a page.
  for (let page = 1; page < whole.length / 4096; page += 3) {
    const damaged = whole.slice();
    damaged.fill(0xff, page * 4096, page * 4096 + 100);
    Deno.writeFileSync(`${folder.path}/bad.db`, damaged);
    assert.throws(() => openDatabase(`${folder.path}/bad.db`), code("corrupt"), `page ${page}`);
  }
});

Deno.test("a writer gives up with `locked` while another one holds the lock, and recovers", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  using first = openDatabase(file);
  using second = openDatabase(file, { busyTimeoutMs: 10 });
  first.transaction(() => {
    first.addListener({ addr: ":1" });
    assert.throws(() => second.addListener({ addr: ":2" }), code("locked"));
    assert.throws(() => second.transaction(() => {}), code("locked"));
    // Readers are not blocked, and see nothing of what is not committed.
    assert.deepEqual(second.listeners(), []);
  });
  second.addListener({ addr: ":2" });
  assert.deepEqual(first.listeners().map(({ addr }) => addr), [":1", ":2"]);
});

Deno.test("openDatabase() gives up with `locked` when it cannot migrate", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  {
    using db = openDatabase(file);
    db.addListener({ addr: ":1" });
  }
  using other = new DatabaseSync(file);
  other.exec("DELETE FROM schema_migrations WHERE version > 1");
  other.exec("BEGIN IMMEDIATE");
  assert.throws(() => openDatabase(file, { busyTimeoutMs: 10 }), code("locked"));
});

Deno.test("a read-only database refuses every write, and creates nothing", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  assert.throws(() => openDatabase(file, { readOnly: true }), { code: "not_found" });
  assert.deepEqual(folder.names(), []);
  {
    using db = openDatabase(file);
    db.addListener({ addr: ":1" });
  }
  using db = openDatabase(file, { readOnly: true });
  assert.throws(() => db.addListener({ addr: ":2" }), code("read_only"));
  const write = () => db.transaction(() => db.addListener({ addr: ":2" }));
  assert.throws(write, code("read_only"));
  assert.deepEqual(db.listeners().map(({ addr }) => addr), [":1"]);
});

Deno.test("a full disk refuses the write with `disk_full` and keeps every row before it", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  {
    using db = openDatabase(file, { maxPages: 40 });
    db.addListener({ addr: ":443" });
    const added = addUntilFull(db);
    assert(added > 10);
    const before = db.routes(1);
    assert.equal(before.length, added);
    const several = () =>
      db.transaction(() => {
        db.removeRoute(1);
        db.addRoute(1, { hostname: "big.example", backend: "x".repeat(100_000) });
      });
    assert.throws(several, code("disk_full"));
    assert.deepEqual(db.routes(1), before);
    // Once there is room again, writing goes on.
    db.removeRoute(1);
    db.removeRoute(2);
    db.addRoute(1, { hostname: "again.example", backend: "10.0.0.1:443" });
  }
  using db = openDatabase(file);
  assert.equal(db.routes(1).at(-1)?.hostname, "again.example");
});

Deno.test.each(
  [
    ["listeners", "UPDATE listeners SET addr = x'00'"],
    ["listeners", "UPDATE listeners SET proxy_protocol = 'yes'"],
    ["listeners", "UPDATE listeners SET trusted_proxies = '[1]'"],
    ["routes", "UPDATE routes SET backend_tls = 'no'"],
    ["routes", "UPDATE routes SET backend = x'00'"],
  ] as const,
)("a value of another type in %s is reported as damage: %s", (table, sql) => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  const { id } = db.addListener({ addr: ":443" });
  db.addRoute(id, { hostname: "a.example", backend: "10.0.0.1:443" });
  {
    using other = new DatabaseSync(`${folder.path}/a.db`);
    other.exec(sql);
  }
  assert.throws(() => table === "routes" ? db.routes(id) : db.listeners(), code("corrupt"));
});
