import assert from "node:assert/strict";
import { poolAlone } from "../support/pool_alone.ts";

Deno.test.each([
  ["serves", []],
  ["is being replaced", ["replace"]],
])("a worker in an endless loop is reported while it %s", async (_, more) => {
  const { stuck, worker, messages } = await poolAlone("hang 60000", ...more);
  assert.deepEqual(stuck, [0]);
  assert.equal(worker.state, "dead");
  assert(messages.includes("worker is in an endless loop"));
});

Deno.test("a worker that does not get the processor is not taken for one in a loop", async () => {
  const { stuck, worker } = await poolAlone("block 3000");
  assert.deepEqual(stuck, []);
  assert.deepEqual(worker, { state: "serving", restarts: 0 });
});
