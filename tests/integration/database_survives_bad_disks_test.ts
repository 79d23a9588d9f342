import assert from "node:assert/strict";
import { DEADLINE_MS } from "../support/deadline.ts";
import { type Database, openDatabase } from "../../lib/db/mod.ts";
import { CAN_MOUNT, giveRoomBack, smallDisk } from "../support/small_disk.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** A test on a file system of its own. */
function diskTest(claim: string, fn: () => void | Promise<void>): void {
  const reason = CAN_MOUNT ? "" : " (ignored: mounting is not allowed here)";
  Deno.test({ name: claim + reason, ignore: !CAN_MOUNT, fn });
}

/** Adds routes until the database refuses, and returns the last error's code. */
function fill(db: Database): unknown {
  for (let i = 0; i < 10_000; i++) {
    try {
      db.addRoute(1, { hostname: `h${i}.example`, backend: "x".repeat(500) });
    } catch (error) {
      return error instanceof Error && "code" in error ? error.code : error;
    }
  }
  return "never full";
}

diskTest("a full disk refuses writes, keeps every acknowledged row, and recovers", () => {
  using disk = smallDisk(1024);
  const file = `${disk.path}/a.db`;
  {
    using db = openDatabase(file);
    db.addListener({ addr: ":443" });
    const ballast = `${disk.path}/ballast`;
    Deno.writeFileSync(ballast, new Uint8Array(100 * 1024));
    assert.equal(fill(db), "disk_full");
    const before = db.routes(1);
    assert(before.length > 10, String(before.length));
    const change = () =>
      db.transaction(() => {
        db.removeRoute(1);
        db.addRoute(1, { hostname: "big.example", backend: "x".repeat(400_000) });
      });
    assert.throws(change, { code: "disk_full" });
    assert.deepEqual(db.routes(1), before);
    giveRoomBack(ballast);
    db.addRoute(1, { hostname: "again.example", backend: "10.0.0.1:443" });
  }
  using db = openDatabase(file);
  assert.equal(db.routes(1).at(-1)?.hostname, "again.example");
});

diskTest("openDatabase() says that the disk is full", () => {
  using disk = smallDisk(64);
  Deno.writeFileSync(`${disk.path}/ballast`, new Uint8Array(60 * 1024));
  assert.throws(() => openDatabase(`${disk.path}/a.db`), { code: "disk_full" });
});

diskTest(
  "snapshot() to a full disk fails and leaves the old snapshot and nothing else",
  async () => {
    using folder = temporaryFolder();
    await using disk = smallDisk(256);
    using db = openDatabase(`${folder.path}/a.db`);
    db.addListener({ addr: ":443" });
    const copy = `${disk.path}/copy.db`;
    await db.snapshot(copy);
    const before = Deno.readFileSync(copy);
    db.addRoute(1, { hostname: "big.example", backend: "x".repeat(200_000) });
    await assert.rejects(db.snapshot(copy, { overwrite: true }), { code: "disk_full" });
    assert.deepEqual(Deno.readFileSync(copy), before);
    assert.deepEqual([...Deno.readDirSync(disk.path)].map(({ name }) => name), ["copy.db"]);
  },
);

diskTest(
  "a snapshot to a disk of whatever size is whole, or refused for want of space",
  async () => {
    using folder = temporaryFolder();
    using db = openDatabase(`${folder.path}/a.db`);
    const codes = new Set<string>();
    for (let size = 64; size <= 384; size += 8) {
      await using disk = smallDisk(size);
      const code = await db.snapshot(`${disk.path}/copy.db`).then(
        () => "whole",
        ({ code }) => code,
      );
      const left = [...Deno.readDirSync(disk.path)].map(({ name }) => name);
      assert.deepEqual(left, code === "whole" ? ["copy.db"] : [], `${size} KiB`);
      codes.add(code);
    }
    assert.deepEqual([...codes], ["disk_full", "whole"]);
  },
);

diskTest("a read-only file system refuses to open, to write and to take a snapshot", async () => {
  using folder = temporaryFolder();
  using disk = smallDisk(1024);
  openDatabase(`${disk.path}/a.db`)[Symbol.dispose]();
  disk.makeReadOnly();
  assert.throws(() => openDatabase(`${disk.path}/a.db`), { code: "read_only" });
  assert.throws(() => openDatabase(`${disk.path}/new.db`), { code: "read_only" });
  using db = openDatabase(`${folder.path}/a.db`);
  await assert.rejects(db.snapshot(`${disk.path}/copy.db`), { code: "read_only" });
});

Deno.test("processes that open a new database at one time all succeed", async () => {
  using folder = temporaryFolder();
  const library = new URL("../../lib/db/mod.ts", import.meta.url).href;
  const start = Date.now() + 2_000;
  const script = `const { openDatabase } = await import(${JSON.stringify(library)});
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, ${start} - Date.now())));
    const path = ${JSON.stringify(`${folder.path}/a.db`)};
    using db = openDatabase(path, { busyTimeoutMs: ${DEADLINE_MS} }); // Three migrations in a row.
    Deno.stdout.writeSync(new TextEncoder().encode("open"));`;
  const output = await Promise.all(Array.from({ length: 3 }, async () => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", script],
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  }));
  assert.deepEqual(output, ["open", "open", "open"]);
});
