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
