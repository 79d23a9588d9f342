import assert from "node:assert/strict";
import { ServingLock } from "../../../lib/db/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("ServingLock is held by one, and by whoever takes over when that one has ended", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  const start = () => ServingLock.take(path, { takeOver: false });
  const first = start();
  assert.ok(first);
  assert.equal(start(), undefined);
  const second = ServingLock.take(path, { takeOver: true });
  assert.ok(second);
  first[Symbol.dispose]();
  await eventually(() => {
    const other = start();
    other?.[Symbol.dispose]();
    return other === undefined;
  }, "the second has it");
  assert.equal(Deno.statSync(`${folder.path}/running.a.db`).mode, 0o100600);
  second[Symbol.dispose]();
  using third = start();
  assert.ok(third);
});

Deno.test("ServingLock says what stands in its way", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/absent/a.db`;
  assert.throws(() => ServingLock.take(path, { takeOver: false }), {
    code: "missing_directory",
    message: /running\.a\.db.*does not exist/,
  });
});

Deno.test("a lock that was given back is free although children are started all the time", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  // Between fork and exec a child has a copy of every descriptor, and with it of the lock.
  const source = 'for (;;) await new Deno.Command("true").output();';
  const starters = [0, 1].map(() =>
    new Worker(`data:text/javascript,${source}`, { type: "module" })
  );
  try {
    const end = performance.now() + 500;
    while (performance.now() < end) {
      const lock = ServingLock.take(path, { takeOver: false });
      assert.ok(lock !== undefined);
      lock[Symbol.dispose]();
    }
  } finally {
    for (const starter of starters) starter.terminate();
  }
});
