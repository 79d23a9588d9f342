import assert from "node:assert/strict";
import { OTHER_ROUTES, RequestCounts } from "../../../lib/observe/mod.ts";
import { RequestBlocks } from "../../../lib/workers/request_blocks.ts";

/** One incarnation of a worker that counts `count` requests of a route. */
function serve(blocks: RequestBlocks, worker: number, { route = "a.test", count = 1 } = {}): void {
  const requests = new RequestCounts((name, block) => blocks.add(worker, name, block));
  for (let i = 0; i < count; i++) {
    requests.record({ route, status: 200, protocol: "h2", durationMs: 5 });
  }
}

function countOf(blocks: RequestBlocks, route: string): number | undefined {
  return blocks.read().get(route)?.counts[0]?.count;
}

Deno.test("RequestBlocks keeps what workers counted before they were replaced", () => {
  const blocks = new RequestBlocks();
  serve(blocks, 0, { count: 3 });
  serve(blocks, 1, { count: 4 });
  for (let incarnation = 0; incarnation < 5; incarnation++) serve(blocks, 0, { count: 10 });
  assert.equal(countOf(blocks, "a.test"), 57);
  assert.equal(blocks.read().get("a.test")?.duration.counts.reduce((a, b) => a + b), 57);
});

Deno.test("RequestBlocks bounds the routes over all workers", () => {
  const blocks = new RequestBlocks();
  for (let i = 0; i < 900; i++) serve(blocks, 0, { route: `${i}.a.test` });
  for (let i = 0; i < 900; i++) serve(blocks, 1, { route: `${i}.b.test` });
  assert.equal(blocks.read().size, 1001);
  assert.equal(countOf(blocks, OTHER_ROUTES), 800);
});

Deno.test("RequestBlocks loses nothing of live workers when there are more routes than it tells apart", () => {
  const blocks = new RequestBlocks();
  for (let i = 0; i < 1000; i++) serve(blocks, 0, { route: `${i}.a.test` });
  const other = new RequestCounts((name, block) => blocks.add(1, name, block));
  const count = (route: string) =>
    other.record({ route, status: 200, protocol: "h2", durationMs: 5 });
  // Each route's block goes on being written to after the next one has come.
  for (let round = 0; round < 5; round++) for (let i = 0; i < 10; i++) count(`${i}.b.test`);
  assert.equal(countOf(blocks, OTHER_ROUTES), 50);
  // What the worker counted stays when it is replaced, and its blocks are let go.
  blocks.retire(1);
  blocks.retire(1);
  assert.equal(countOf(blocks, OTHER_ROUTES), 50);
  serve(blocks, 1, { route: "0.b.test", count: 2 });
  assert.equal(countOf(blocks, OTHER_ROUTES), 52);
});
