import assert from "node:assert/strict";
import { type Database, openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** Two connections to a database that holds something, as two processes would have them. */
function withTwo(body: (old: Database, next: Database, path: string) => void): void {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  using old = openDatabase(path);
  old.role?.claim();
  old.role?.confirm();
  change(old, ":1");
  using next = openDatabase(path);
  body(old, next, path);
}

function change(db: Database, addr: string): void {
  db.transaction(() => db.addListener({ addr }));
  db.safekeeping?.acknowledge();
}

const NOT_WRITER = { code: "not_writer" };

Deno.test("a claim refuses the transactions of whoever wrote before, and a confirmed one for good", () => {
  withTwo((old, next) => {
    change(old, ":2");
    next.role?.claim();
    assert.equal(old.role?.look(), "being_taken");
    assert.throws(() => change(old, ":3"), NOT_WRITER);
    assert.throws(() => old.undoable(() => old.addListener({ addr: ":3" })), NOT_WRITER);
    change(next, ":4");
    next.role?.confirm();
    assert.equal(old.role?.look(), "taken");
    assert.equal(old.role?.takeBack(), false);
    next.role?.giveBack();
    assert.equal(next.role?.look(), "ours", "what is confirmed is not given back");
    assert.throws(() => change(old, ":5"), NOT_WRITER);
    assert.deepEqual(next.listeners().map(({ addr }) => addr), [":1", ":2", ":4"]);
  });
});

Deno.test("a claim that is given back lets the old writer go on", () => {
  withTwo((old, next) => {
    next.role?.claim();
    assert.equal(old.safekeeping?.isBehind, false);
    change(next, ":2");
    next.role?.giveBack();
    assert.equal(old.role?.look(), "ours");
    assert.equal(old.safekeeping?.isBehind, true, "somebody else has written");
    old.safekeeping?.note();
    assert.equal(old.safekeeping?.isBehind, false);
    change(old, ":3");
    assert.equal(old.listeners().length, 3);
  });
});

Deno.test("closing gives an unconfirmed claim back", () => {
  withTwo((old, _next, path) => {
    {
      using other = openDatabase(path);
      other.role?.claim();
      assert.throws(() => change(old, ":2"), NOT_WRITER);
    }
    change(old, ":3");
  });
});

Deno.test("a claim is taken back from a process that died, and not from one that lives", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  using old = openDatabase(path);
  old.role?.claim();
  old.role?.confirm();
  change(old, ":1");
  {
    using living = openDatabase(path);
    living.role?.claim();
    assert.equal(old.role?.takeBack(), false, "it holds its lock");
  }
  const library = new URL("../../../lib/db/mod.ts", import.meta.url).href;
  for (let i = 0; i < 2; i++) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `const { openDatabase } = await import("${library}");
        openDatabase(${JSON.stringify(path)}).role.claim();
        Deno.kill(Deno.pid, "SIGKILL");`,
      ],
      stderr: "null",
    }).output();
    assert.equal(code, 137);
    // The second one claimed it from a dead one: still we are the one to get it back.
    assert.equal(old.role?.look(), "being_taken");
  }
  assert.equal(old.role?.takeBack(), true);
  assert.equal(old.role?.look(), "ours");
  change(old, ":2");
});

Deno.test("two processes do not take over at one time", () => {
  withTwo((_old, next, path) => {
    next.role?.claim();
    using third = openDatabase(path);
    assert.throws(() => third.role?.claim(), { code: "locked" });
    next.role?.confirm();
    third.role?.claim();
    assert.throws(() => next.role?.check(), NOT_WRITER);
  });
});

Deno.test("a claim that was taken back cannot be confirmed", () => {
  withTwo((old, next, path) => {
    next.role?.claim();
    // With another file in its place nobody sees the lock, and the process is taken for dead.
    const marker = `${path.replace(/a\.db$/, "")}marker.a.db`;
    const bytes = Deno.readFileSync(marker);
    Deno.removeSync(marker);
    Deno.writeFileSync(marker, bytes);
    assert.equal(old.role?.takeBack(), true);
    assert.throws(() => next.role?.confirm(), NOT_WRITER);
    assert.throws(() => change(next, ":2"), NOT_WRITER);
    change(old, ":3");
  });
});

Deno.test("hits are counted by whoever drains, without the role", () => {
  withTwo((old, next) => {
    const { id } = next.rules.add({ type: "ip", value: "192.0.2.1" });
    next.role?.claim();
    next.role?.confirm();
    old.transaction(() => old.rules.addHits(new Map([[id, 3]])), { byAnyone: true });
    assert.equal(next.rules.get(id)?.hits, 3);
    old.checkWritable();
  });
});
