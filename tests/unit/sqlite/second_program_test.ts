import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { field, oneOf, prose, record } from "../../../lib/schema/mod.ts";
import {
  acceptStateDatabase,
  Columns,
  type DatabaseParts,
  FOUNDATION,
  numberIn,
  openInMemory,
  openStateDatabase,
  type Program,
  restoreStateDatabase,
  StateDatabase,
} from "../../../lib/sqlite/mod.ts";
import { openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** A program that has nothing to do with routes: it keeps DNS records, described once. */
const RECORD = record({
  name: field("name", prose({ maxLength: 253 }), { required: true, doc: "Its name." }),
  type: field("type", oneOf("A", "TXT"), { default: "A", doc: "Its type." }),
  text: field("text", prose({ maxLength: 255 }), { optional: true, doc: "What it says." }),
});
const COLUMNS = new Columns(RECORD);

class Zone extends StateDatabase {
  add(name: string, text: string): number {
    const values = COLUMNS.values({ name, type: "TXT", text });
    return this.statements.run(`cannot add ${name}`, () => {
      const sql = `INSERT INTO records (${COLUMNS.names}) VALUES (${COLUMNS.placeholders})`;
      return this.statements.insert(sql, values);
    });
  }

  list() {
    return this.statements.all(`SELECT id, ${COLUMNS.names} FROM records ORDER BY id`).map((
      row,
    ) => ({
      id: numberIn(row, "id"),
      ...COLUMNS.read(row),
    }));
  }
}

const PROGRAM: Program<Zone> = {
  schema: {
    migrations: [{
      version: 1,
      statements: [
        ...FOUNDATION,
        `CREATE TABLE records (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
          type TEXT NOT NULL, text TEXT)`,
      ],
    }],
    stateTables: ["records"],
    commands: { restore: "zone restore", writeBack: "zonectl write-back" },
  },
  make: (db: DatabaseSync, parts: DatabaseParts) => new Zone(db, parts),
};

Deno.test("another program keeps its state with what this one has: changes, audit, undo, copies", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/zone.db`;
  const copy = `${folder.path}/zone.bak`;
  {
    using zone = openStateDatabase(path, {}, PROGRAM);
    zone.add("a.example", "one");
    zone.audit.add({ time: 1, actor: "t", action: "Add", subject: "a", before: "", after: "" });
    const { undo } = zone.undoable(() => zone.add("b.example", "two"));
    assert.equal(zone.list().length, 2);
    undo();
    assert.deepEqual(zone.list(), [{ id: 1, name: "a.example", type: "TXT", text: "one" }]);
    assert.equal(zone.audit.revision, 1);
    zone.safekeeping?.acknowledge();
    await zone.snapshot(copy);
    zone.add("c.example", "three");
    zone.safekeeping?.acknowledge();
  }
  {
    using db = new DatabaseSync(path);
    db.exec("DELETE FROM records WHERE name = 'a.example'");
  }
  // Its own commands are in the message.
  assert.throws(() => openStateDatabase(path, {}, PROGRAM), {
    code: "damaged",
    message: /zone restore --from .*zone\.bak \(revision 1\)/,
  });
  const count = (db: DatabaseSync) =>
    Number(db.prepare("SELECT count(*) AS n FROM records").get()?.n);
  const restorable = { schema: PROGRAM.schema, describe: count };
  assert.equal(acceptStateDatabase(path, restorable).contents, 1);
  const restored = await restoreStateDatabase(path, { from: copy }, restorable);
  assert.equal(restored.contents, 1);
  using zone = openStateDatabase(path, {}, PROGRAM);
  assert.deepEqual(zone.list().map(({ name }) => name), ["a.example"]);
  using memory = openInMemory(PROGRAM);
  assert.deepEqual(memory.list(), []);
});

Deno.test("the tables of FOUNDATION are those that this program has come to have", () => {
  using folder = temporaryFolder();
  openDatabase(`${folder.path}/ours.db`)[Symbol.dispose]();
  openStateDatabase(`${folder.path}/theirs.db`, {}, PROGRAM)[Symbol.dispose]();
  const columns = (file: string, table: string) => {
    using db = new DatabaseSync(`${folder.path}/${file}`);
    return db.prepare(`PRAGMA table_info(${table})`).all().map((row) => ({ ...row }));
  };
  for (const table of ["audit_log", "identity", "schema_migrations"]) {
    assert.deepEqual(columns("theirs.db", table), columns("ours.db", table), table);
  }
});
