import assert from "node:assert/strict";
import { Permits, PERMITS_BYTES } from "../../../lib/observe/mod.ts";

Deno.test("Permits: the last one is given, one more is not, and one that comes back is given again", () => {
  const buffer = new SharedArrayBuffer(PERMITS_BYTES);
  const [here, there] = [new Permits(buffer), new Permits(buffer)];
  assert.deepEqual([here.acquire(0, 2), there.acquire(1, 2), here.acquire(0, 2)], [
    true,
    true,
    false,
  ]);
  assert.equal(there.active, 2);
  there.release(1);
  assert.equal(here.acquire(0, 2), true);
});

Deno.test("Permits: those of a dead worker come back, once, and no others", () => {
  const permits = new Permits(new SharedArrayBuffer(PERMITS_BYTES));
  for (const worker of [0, 0, 255]) permits.acquire(worker, 10);
  permits.releaseAll(0);
  assert.equal(permits.active, 1);
  permits.releaseAll(0);
  assert.equal(permits.active, 1);
  permits.releaseAll(255);
  assert.equal(permits.active, 0);
});
