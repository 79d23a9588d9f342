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

/** Markers of a tree: at each node, one for every rule of a longer length below it, if it needs it. */
function markers(tree: SearchPlan, counts: Record<number, number>, node = 0): [number, number] {
  if (node < 0) return [0, 0];
  const length = tree.lengths[node] ?? 0;
  const [shorter, left] = markers(tree, counts, tree.shorter[node]);
  const [longer, right] = markers(tree, counts, tree.longer[node]);
  // No more than there are prefixes of this length.
  const own = Math.min(right, 2 ** length);
  return [shorter + longer + own, left + right + (counts[length] ?? 0)];
}

/** The fewest markers of any tree over these lengths that is no deeper than that. */
function fewest(lengths: readonly number[], counts: Record<number, number>, depth: number): number {
  if (lengths.length === 0) return 0;
  if (depth === 0) return Infinity;
  return Math.min(...lengths.map((length, i) => {
    const longer = lengths.slice(i + 1);
    const rules = longer.reduce((sum, it) => sum + (counts[it] ?? 0), 0);
    return Math.min(rules, 2 ** length) + fewest(lengths.slice(0, i), counts, depth - 1) +
      fewest(longer, counts, depth - 1);
  }));
}

Deno.test.each([
  [{ 8: 20, 16: 300, 20: 50, 24: 90_000, 28: 10, 32: 1000 }],
  [{ 0: 1, 1: 2, 4: 10, 24: 9000, 32: 9000 }],
  [{ 8: 16_384 }],
  [{ 8: 200, 32: 16_384 }],
  [{ 10: 4000, 11: 4000, 12: 4000, 13: 4000, 14: 4000 }],
  [{ 1: 2, 2: 4, 3: 8, 4: 16, 5: 32, 6: 64, 32: 20_000 }],
] as [Record<number, number>][])("planSearch() of %j needs the fewest markers", (counts) => {
  const lengths = Object.keys(counts).map(Number);
  const depth = Math.ceil(Math.log2(lengths.length + 1)) + 1;
  const made = plan(counts);
  assert.deepEqual(walk(made)[0], lengths);
  assert.equal(markers(made, counts)[0], fewest(lengths, counts, depth));
});

Deno.test("planSearch() takes a balanced tree for few rules, up to 16,383", () => {
  const root = (most: number) => plan({ 8: 1, 16: 1, 24: 1, 32: most }).lengths[0];
  assert.equal(root(16_380), 24);
  assert.equal(root(16_381), 32);
});
