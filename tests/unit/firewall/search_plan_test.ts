import assert from "node:assert/strict";
import { planSearch, type SearchPlan } from "../../../lib/firewall/_search_plan.ts";

function plan(rules: Record<number, number>): SearchPlan {
  const counts = new Float64Array(129);
  for (const [length, count] of Object.entries(rules)) counts[Number(length)] = count;
  return planSearch(counts);
}

/** The lengths in order, and the depth; asserts that the nodes are a tree. */
function walk(tree: SearchPlan, node = tree.lengths.length === 0 ? -1 : 0): [number[], number] {
  if (node < 0) return [[], 0];
  const [shorter, left] = walk(tree, tree.shorter[node]);
  const [longer, right] = walk(tree, tree.longer[node]);
  return [[...shorter, tree.lengths[node] ?? -1, ...longer], 1 + Math.max(left, right)];
}

Deno.test("planSearch() of no rules has no nodes", () => {
  assert.equal(plan({}).lengths.length, 0);
});

Deno.test("planSearch() probes the length of most rules first", () => {
  assert.equal(plan({ 8: 20, 16: 300, 20: 50, 24: 9000, 28: 10, 32: 1_000_000 }).lengths[0], 32);
});

Deno.test.each([[1], [2], [3], [17], [33], [128], [129]])(
  "planSearch() of %i lengths is an ordered tree, at most one deeper than a balanced one",
  (count) => {
    for (const weight of [1, 1_000_000]) {
      const rules: Record<number, number> = {};
      for (let length = 0; length < count; length++) rules[length] = length * weight + 1;
      const [lengths, depth] = walk(plan(rules));
      assert.deepEqual(lengths, Array.from({ length: count }, (_, i) => i));
      assert(depth <= Math.ceil(Math.log2(count + 1)) + 1, `depth ${depth}`);
    }
  },
);
