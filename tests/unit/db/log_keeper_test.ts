import assert from "node:assert/strict";
import { openDatabase } from "../../../lib/db/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** A head and one page: what a log that was emptied begins with. */
const EMPTY_LOG = 32 + 24 + 4096;

async function withDatabase(
  body: (db: ReturnType<typeof openDatabase>, log: () => number) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  using db = openDatabase(path);
  db.addListener({ addr: ":443" });
  db.neverBlock();
  await body(db, () => Deno.statSync(`${path}-wal`).size);
}

const add = (db: ReturnType<typeof openDatabase>, hostname: string) =>
  db.undoable(() => db.addRoute(1, { hostname, backend: "x:1" }));

Deno.test("checkpointMeanwhile() empties the log beside the thread, and what is open stays usable", async () => {
  await withDatabase(async (db, log) => {
    for (let i = 0; i < 20; i++) add(db, `h${i}.test`);
    await db.reachDisk();
    assert.ok(log() > EMPTY_LOG);
    await db.safekeeping?.checkpointMeanwhile();
    assert.equal(log(), EMPTY_LOG);
    db.safekeeping?.check();
    add(db, "more.test");
    assert.equal(db.routes(1).length, 21);
    using other = openDatabase(db.path, { readOnly: true });
    assert.equal(other.version, db.version);
  });
});

Deno.test("checkpointMeanwhile() ends while changes go on, and the database has all of them", async () => {
  await withDatabase(async (db, log) => {
    let made = 0;
    const emptied = db.safekeeping?.checkpointMeanwhile();
    let isOver = false;
    void emptied?.finally(() => isOver = true);
    while (!isOver) {
      try {
        add(db, `h${made}.test`);
        made++;
      } catch (error) {
        // For the moment at which there is no log.
        assert.equal((error as { code?: string }).code, "locked");
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await emptied;
    assert.ok(made > 0, "changes were made");
    assert.equal(log(), EMPTY_LOG);
    assert.equal(db.routes(1).length, made);
  });
});

Deno.test("checkpointMeanwhile() leaves a log alone that somebody reads, and empties it afterwards", async () => {
  await withDatabase(async (db, log) => {
    {
      using frozen = db.frozen();
      for (let i = 0; i < 20; i++) add(db, `h${i}.test`);
      await db.safekeeping?.checkpointMeanwhile();
      assert.ok(log() > EMPTY_LOG);
      assert.equal(frozen?.routes(1).length, 0, "the state as it was");
    }
    await db.safekeeping?.checkpointMeanwhile();
    assert.equal(log(), EMPTY_LOG);
  });
});

Deno.test("a database that is closed while its log is emptied closes", async () => {
  await withDatabase(async (db) => {
    for (let i = 0; i < 20; i++) add(db, `h${i}.test`);
    const emptied = db.safekeeping?.checkpointMeanwhile();
    await new Promise((resolve) => setTimeout(resolve, 0));
    db[Symbol.dispose]();
    await emptied;
    assert.throws(() => db.routes(1));
  });
});

Deno.test("a log that has grown large is emptied behind a change", async () => {
  await withDatabase(async (db, log) => {
    const reason = "x".repeat(256);
    db.undoable(() => {
      for (let i = 0; i < 20_000; i++) {
        db.rules.add({ type: "ip", value: `10.0.${i >> 8}.${i & 255}`, reason });
      }
    });
    assert.ok(log() > 4 * 1024 * 1024);
    await eventually(() => log() === EMPTY_LOG, "the log is emptied");
  });
});

Deno.test("a log that a thread may not touch is emptied all the same", async () => {
  const folder = Deno.makeTempDirSync({ dir: "/dev/shm" });
  try {
    using db = openDatabase(`${folder}/a.db`);
    db.addListener({ addr: ":443" });
    db.neverBlock();
    add(db, "a.test");
    await db.safekeeping?.checkpointMeanwhile();
    assert.equal(Deno.statSync(`${folder}/a.db-wal`).size, EMPTY_LOG);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
