import assert from "node:assert/strict";
import { DescriptorBudget, DESCRIPTORS_BYTES } from "../../../lib/observe/mod.ts";

Deno.test("DescriptorBudget gives what there is to all workers together, and not one more", () => {
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  budget.limit = 5;
  const [a, b] = [budget.of(0), budget.of(255)];
  assert(a.acquire(2));
  assert(b.acquire(2));
  assert.equal(a.acquire(2), false);
  assert.equal(b.acquire(1), true);
  assert.equal(b.acquire(1), false);
  assert.deepEqual([budget.used, budget.refused], [5, 2]);
  a.release(2);
  assert(b.acquire(2));
});

Deno.test("DescriptorBudget takes back what a dead worker held", () => {
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  budget.limit = 4;
  assert(budget.of(0).acquire(3));
  assert(budget.of(1).acquire(1));
  budget.releaseAll(0);
  assert.equal(budget.used, 1);
  budget.releaseAll(0);
  assert.equal(budget.used, 1);
  assert(budget.of(1).acquire(3));
});

Deno.test("DescriptorBudget counts without a limit, too", () => {
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  const one = budget.of(0);
  for (let i = 0; i < 1000; i++) assert(one.acquire(2));
  assert.deepEqual([budget.used, budget.refused], [2000, 0]);
});
