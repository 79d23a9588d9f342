import assert from "node:assert/strict";
import { AbuseGuard, Budget } from "../../../lib/h2/abuse.ts";
import { EDGE_LIMITS } from "../../../lib/h2/mod.ts";

Deno.test("Budget gives its burst at once and then what a second earns", () => {
  const budget = new Budget({ burst: 3, perSecond: 2 });
  assert.deepEqual([1, 2, 3, 4].map(() => budget.spend(5000)), [true, true, true, false]);
  assert.equal(budget.spend(5499), false);
  // Half a second earns one, to the millisecond, whoever asked in between.
  assert.equal(budget.spend(5500), true);
  assert.equal(budget.spend(5999), false);
  assert.equal(budget.spend(6000), true);
  // A long time fills it, and no more than that.
  assert.deepEqual([1, 2, 3, 4].map(() => budget.spend(1e9)), [true, true, true, false]);
});

Deno.test("Budget earns nothing when the clock stands or goes back", () => {
  const budget = new Budget({ burst: 2, perSecond: 1000 });
  budget.spend(5000, 2);
  assert.equal(budget.spend(5000), false);
  assert.equal(budget.spend(4000), false);
  assert.equal(budget.spend(4000, 0), true);
});

Deno.test("Budget takes many tokens or none, and gives back up to its burst", () => {
  const budget = new Budget({ burst: 10, perSecond: 0 });
  assert.equal(budget.spend(0, 11), false);
  assert.equal(budget.spend(0, 10), true);
  budget.credit(4);
  assert.equal(budget.spend(0, 5), false);
  assert.equal(budget.spend(0, 4), true);
  budget.credit(100);
  assert.deepEqual([budget.spend(0, 10), budget.spend(0, 1)], [true, false]);
});

Deno.test("Budget with a credit lets tokens be owed, and tells how long until they are paid", () => {
  const budget = new Budget({ burst: 4, perSecond: 2 }, { credit: 3 });
  assert.equal(budget.waitMs(1000), 0);
  assert.equal(budget.spend(1000, 4), true);
  assert.equal(budget.waitMs(1000), 0);
  assert.equal(budget.spend(1000, 3), true);
  assert.equal(budget.spend(1000), false);
  assert.equal(budget.waitMs(1000), 1500);
  assert.equal(budget.waitMs(2000), 500);
  assert.equal(budget.waitMs(2500), 0);
});

Deno.test("Budget spends what its parent has too, and gives back to both", () => {
  const parent = new Budget({ burst: 3, perSecond: 0 });
  const [a, b] = [1, 2].map(() => new Budget({ burst: 2, perSecond: 0 }, { parent }));
  assert(a && b);
  assert.deepEqual([a.spend(0), a.spend(0), b.spend(0), b.spend(0)], [true, true, true, false]);
  assert.equal(a.spend(0), false);
  a.credit(1);
  assert.equal(a.spend(0), true, "one came back to both");
  assert.equal(parent.spend(0), false);
});

Deno.test("AbuseGuard tells the longer of two waits", () => {
  const limits = {
    ...EDGE_LIMITS,
    control: { burst: 1, perSecond: 1 },
    smallData: { burst: 1, perSecond: 4 },
  };
  const guard = new AbuseGuard(limits);
  assert.equal(guard.waitMs(0), 0);
  guard.smallData.spend(0, 2);
  assert.equal(guard.waitMs(0), 250);
  guard.control.spend(0, 2);
  assert.equal(guard.waitMs(0), 1000);
  assert.equal(guard.control.spend(0), false, "as much again as the burst, and no more");
});
