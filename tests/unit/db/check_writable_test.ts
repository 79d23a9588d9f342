import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DatabaseError, openDatabase } from "../../../lib/db/mod.ts";
import { CAN_MOUNT, smallDisk } from "../../support/small_disk.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("checkWritable() passes and changes no row", () => {
  using folder = temporaryFolder();
  using database = openDatabase(join(folder.path, "a.db"));
  database.addListener({ addr: ":443" });
  database.checkWritable();
  database.checkWritable();
  assert.equal(database.listeners().length, 1);
});

Deno.test("checkWritable() throws while another process holds the lock", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.db");
  using database = openDatabase(path, { busyTimeoutMs: 1 });
  const other = new DatabaseSync(path);
  try {
    other.exec("BEGIN IMMEDIATE");
    assert.throws(() => database.checkWritable(), DatabaseError);
    other.exec("ROLLBACK");
    database.checkWritable();
  } finally {
    other.close();
  }
});

Deno.test({
  name: `checkWritable() throws when the disk is full${
    CAN_MOUNT ? "" : " (ignored: cannot mount)"
  }`,
  ignore: !CAN_MOUNT,
  fn() {
    using disk = smallDisk(1024);
    using database = openDatabase(join(disk.path, "a.db"));
    database.checkWritable();
    const filler = join(disk.path, "filler");
    assert.throws(() => Deno.writeFileSync(filler, new Uint8Array(2 * 1024 * 1024)));
    // What is left of the journal's last page may take a write or two.
    assert.throws(() => {
      for (let i = 0; i < 100; i++) database.checkWritable();
    }, DatabaseError);
    Deno.removeSync(filler);
    database.checkWritable();
  },
});

Deno.test({
  name: `checkWritable() throws when a small change still fits and no more${
    CAN_MOUNT ? "" : " (ignored: cannot mount)"
  }`,
  ignore: !CAN_MOUNT,
  fn() {
    using disk = smallDisk(4096);
    using database = openDatabase(join(disk.path, "a.db"));
    database.addListener({ addr: ":443" });
    const spare = join(disk.path, "spare");
    Deno.writeFileSync(spare, new Uint8Array(200 * 1024));
    using filler = Deno.openSync(join(disk.path, "filler"), { create: true, write: true });
    const block = new Uint8Array(4096);
    assert.throws(() => {
      for (;;) filler.writeSync(block);
    });
    Deno.removeSync(spare);
    // The database itself says nothing yet.
    database.addRoute(1, { hostname: "fits.example", backend: "10.0.0.1:443" });
    assert.throws(() => database.checkWritable(), { code: "disk_full" });
    filler.truncateSync(0);
    database.checkWritable();
    assert.deepEqual([...Deno.readDirSync(disk.path)].filter(({ name }) => /probe/.test(name)), []);
  },
});
