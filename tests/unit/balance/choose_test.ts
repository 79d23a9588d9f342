import assert from "node:assert/strict";
import { BALANCE_LIMITS } from "../../../lib/balance/mod.ts";
import { ask, backend, balanced, BalanceWorld, visit } from "../../support/balancing.ts";

const times = (n: number, body: (i: number) => string) => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < n; i++) {
    const key = body(i);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
};

Deno.test("round robin takes turns by weight, the heavy one not all at once", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([backend("a:1", { weight: 5 }), "b:1", "c:1"]));
  const order = Array.from({ length: 7 }, () => visit(balancer).charAt(0)).join("");
  // The order that nginx's algorithm is known for.
  assert.equal(order, "aabacaa");
});

Deno.test("least takes the emptier of two for its weight", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(
    balanced([backend("a:1", { weight: 2 }), "b:1"], { balance: "least" }),
    { random: [0, 0, 0.6, 0] },
  );
  assert.deepEqual(times(9, () => (ask(balancer) as { addr: string }).addr), {
    "a:1": 6,
    "b:1": 3,
  });
});

Deno.test("least looks at two different ones, whatever the chance", () => {
  const world = new BalanceWorld();
  world.cell("a:1").acquire(0, 0);
  world.cell("b:1").acquire(0, 0);
  for (const random of [[0, 0], [0, 0.99], [0.5, 0], [0.5, 0.99], [0.99, 0.99]]) {
    const balancer = world.balancer(balanced(["a:1", "b:1", "c:1"], { balance: "least" }), {
      random,
    });
    const [first = 0, second = 0] = random;
    const one = Math.floor(first * 3);
    const other = (one + 1 + Math.floor(second * 2)) % 3;
    assert.notEqual(one, other);
    assert.equal(visit(balancer) === "c:1", one === 2 || other === 2, String(random));
  }
});

Deno.test("least takes the only one, the first of two alike, and of two empty ones the heavier", () => {
  const first = (backends: Parameters<typeof balanced>[0], random: readonly number[]) =>
    visit(new BalanceWorld().balancer(balanced(backends, { balance: "least" }), { random }));
  assert.equal(first(["a:1"], [0.9]), "a:1");
  assert.equal(first(["a:1", "b:1"], [0, 0]), "a:1");
  assert.equal(first(["a:1", "b:1"], [0.5, 0]), "b:1");
  const heavy = [backend("a:1"), backend("b:1", { weight: 4 })];
  assert.equal(first(heavy, [0, 0]), "b:1");
  assert.equal(first(heavy, [0.5, 0]), "b:1");
});

Deno.test("least over the counters of all workers", () => {
  const world = new BalanceWorld();
  const route = balanced(["a:1", "b:1"], { balance: "least" });
  world.cell("a:1").acquire(7, 0);
  assert.equal(visit(world.balancer(route)), "b:1");
});

Deno.test("source: a client keeps its backend, clients spread by weight", () => {
  const world = new BalanceWorld();
  const route = balanced(["a:1", "b:1", backend("c:1", { weight: 2 })], { balance: "source" });
  const [one, other] = [world.balancer(route), world.balancer(route, { worker: 1 })];
  const counts = times(4000, (i) => {
    const addr = visit(one, { source: `client ${i}` });
    assert.equal(visit(other, { source: `client ${i}` }), addr);
    return addr;
  });
  for (const [addr, part] of [["a:1", 0.25], ["b:1", 0.25], ["c:1", 0.5]] as const) {
    const found = (counts[addr] ?? 0) / 4000;
    assert.ok(Math.abs(found - part) < 0.04, `${addr}: ${found}`);
  }
});

Deno.test("source: a backend that goes moves its own clients alone, and they come back", () => {
  const world = new BalanceWorld();
  const route = balanced(["a:1", "b:1", "c:1"], { balance: "source" });
  const balancer = world.balancer(route);
  const home = (i: number) => visit(balancer, { source: `${i}` });
  const before = Array.from({ length: 500 }, (_, i) => home(i));
  world.cell("b:1").checked("failing", world.nowMs);
  const during = Array.from({ length: 500 }, (_, i) => home(i));
  for (const [i, addr] of before.entries()) {
    if (addr === "b:1") assert.notEqual(during[i], "b:1");
    else assert.equal(during[i], addr);
  }
  const moved = new Set(during.filter((_, i) => before[i] === "b:1"));
  assert.deepEqual([...moved].sort(), ["a:1", "c:1"], "they go to all that are left");
  world.cell("b:1").checked("passing", world.nowMs);
  world.pass(BALANCE_LIMITS.slowStartMs);
  assert.deepEqual(Array.from({ length: 500 }, (_, i) => home(i)), before);
});

Deno.test("backups are used while no primary is well, and not before", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1", backend("z:1", { backup: true })]));
  assert.deepEqual(times(10, () => visit(balancer)), { "a:1": 5, "b:1": 5 });
  world.cell("a:1").checked("failing", world.nowMs);
  assert.deepEqual(times(4, () => visit(balancer)), { "b:1": 4 });
  world.cell("b:1").checked("failing", world.nowMs);
  assert.deepEqual(times(4, () => visit(balancer)), { "z:1": 4 });
});

Deno.test("when all are down each is tried in turn, backups too, whatever the policy", () => {
  for (const balance of ["round_robin", "least", "source"] as const) {
    const world = new BalanceWorld();
    const balancer = world.balancer(
      balanced(["a:1", "b:1", backend("z:1", { backup: true })], { balance }),
    );
    for (const addr of ["a:1", "b:1", "z:1"]) world.cell(addr).checked("failing", world.nowMs);
    assert.deepEqual(times(6, () => visit(balancer)), { "a:1": 2, "b:1": 2, "z:1": 2 });
  }
});

Deno.test("one that drains or is down gets nothing, not even when all others are down", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(
    balanced([
      "a:1",
      backend("b:1", { state: "drain" }),
      backend("c:1", { state: "down" }),
    ]),
  );
  assert.deepEqual(times(4, () => visit(balancer)), { "a:1": 4 });
  world.cell("a:1").checked("failing", world.nowMs);
  assert.deepEqual(times(4, () => visit(balancer)), { "a:1": 4 });
});

Deno.test("one that comes back gets a tenth of its share at first, and half after half the time", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  world.cell("b:1").checked("failing", world.nowMs);
  world.cell("b:1").checked("passing", world.nowMs);
  const counts = times(110, () => visit(balancer));
  assert.equal(counts["b:1"], 10);
  world.pass(BALANCE_LIMITS.slowStartMs / 2);
  assert.equal(times(300, () => visit(balancer))["b:1"], 100);
  world.pass(BALANCE_LIMITS.slowStartMs / 2);
  assert.equal(times(100, () => visit(balancer))["b:1"], 50);
});
