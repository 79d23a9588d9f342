/** Backends that are full, and the line of those who wait for them. */
import assert from "node:assert/strict";
import { BALANCE_LIMITS, type NoPlace, type Place } from "../../../lib/balance/mod.ts";
import { ask, backend, balanced, BalanceWorld, visit } from "../../support/balancing.ts";

Deno.test("a full backend is passed over, and when all are full whoever comes waits", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([
    backend("a:1", { maxConnections: 1 }),
    backend("b:1", { maxConnections: 2 }),
  ]));
  const places = [1, 2, 3].map(() => ask(balancer) as Place);
  assert.deepEqual(places.map(({ addr }) => addr).sort(), ["a:1", "b:1", "b:1"]);
  const found: (Place | NoPlace)[] = [];
  balancer.acquire({ source: "", tried: new Set() }, (place) => found.push(place));
  assert.equal(balancer.waiting, 1);
  const a = places.find(({ addr }) => addr === "a:1") as Place;
  a.release();
  a.release();
  assert.deepEqual(found.map((it) => (it as Place).addr), ["a:1"]);
  assert.equal(world.cell("a:1").open, 1);
  assert.equal(balancer.open, 3);
});

Deno.test("those who wait are served in order, and nobody overtakes them", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([backend("a:1", { maxConnections: 1 })]));
  const place = ask(balancer) as Place;
  const order: string[] = [];
  for (const name of ["first", "second"]) {
    balancer.acquire({ source: "", tried: new Set() }, (found) => {
      order.push(name);
      (found as Place).release();
    });
  }
  place.release();
  assert.deepEqual(order, ["first", "second"]);
  assert.equal(balancer.waiting, 0);
  assert.equal(balancer.open, 0);
  const again = ask(balancer) as Place;
  assert.equal(ask(balancer), "waits");
  // Freed by another thread; the one who waits comes first.
  world.cell("a:1").release(0);
  assert.equal(ask(balancer), "waits");
  assert.equal(balancer.waiting, 2);
  assert.ok(again);
});

Deno.test("a place that another thread frees is found by looking, and nobody looks for nobody", () => {
  const world = new BalanceWorld();
  const route = balanced([backend("a:1", { maxConnections: 1 })]);
  const [one, other] = [world.balancer(route), world.balancer(route, { worker: 1 })];
  const place = ask(one) as Place;
  let found: Place | NoPlace | undefined;
  other.acquire({ source: "", tried: new Set() }, (it) => found = it);
  world.pass(BALANCE_LIMITS.pollMs);
  assert.equal(found, undefined);
  place.release();
  world.pass(BALANCE_LIMITS.pollMs);
  assert.equal((found as unknown as Place).addr, "a:1");
  assert.equal(world.timers, 0);
});

Deno.test("the line has a length and a time", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(
    balanced([backend("a:1", { maxConnections: 1 })], { queueLength: 2, queueTimeoutMs: 1000 }),
  );
  const place = ask(balancer) as Place;
  const found: (Place | NoPlace)[] = [];
  const enter = () => balancer.acquire({ source: "", tried: new Set() }, (it) => found.push(it));
  enter();
  const leave = enter();
  enter();
  assert.deepEqual(found, ["full"], "the third is one too many");
  leave();
  enter();
  assert.equal(balancer.waiting, 2);
  world.pass(1000 - BALANCE_LIMITS.pollMs);
  assert.deepEqual(found, ["full"]);
  world.pass(2 * BALANCE_LIMITS.pollMs);
  assert.deepEqual(found, ["full", "full", "full"]);
  assert.equal(balancer.waiting, 0);
  place.release();
  const none = world.balancer(
    balanced([backend("b:1", { maxConnections: 1 })], { queueLength: 0 }),
  );
  ask(none);
  assert.equal(ask(none), "full");
});

Deno.test("a line without time is none, and one of a millisecond is one", () => {
  const world = new BalanceWorld();
  const full = backend("a:1", { maxConnections: 1 });
  ask(world.balancer(balanced([full])));
  assert.equal(ask(world.balancer(balanced([full], { queueTimeoutMs: 0 }))), "full");
  assert.equal(ask(world.balancer(balanced([full], { queueTimeoutMs: 1 }))), "waits");
});

Deno.test("whoever leaves the line is looked for no more, those behind are", () => {
  const world = new BalanceWorld();
  const route = balanced([backend("a:1", { maxConnections: 1 })]);
  const [one, other] = [world.balancer(route), world.balancer(route, { worker: 1 })];
  const place = ask(one) as Place;
  const found: (Place | NoPlace)[] = [];
  const enter = () =>
    other.acquire({ source: "", tried: new Set() }, (it) => {
      found.push(it);
    });
  const leaveFirst = enter();
  const leaveSecond = enter();
  leaveFirst();
  assert.equal(world.timers, 1);
  place.release();
  world.pass(BALANCE_LIMITS.pollMs);
  assert.equal((found[0] as Place).addr, "a:1");
  assert.equal(world.timers, 0);
  leaveSecond();
  leaveSecond();
  const leaveThird = enter();
  assert.deepEqual([other.waiting, world.timers], [1, 1]);
  leaveThird();
  assert.deepEqual([other.waiting, world.timers], [0, 0]);
  // Served by a place of one's own thread: nobody looks for others' either.
  enter();
  (found[0] as Place).release();
  assert.deepEqual([found.length, other.waiting, world.timers], [2, 0, 0]);
});

Deno.test("leaving after a place was found, or none, does nothing", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([backend("a:1", { maxConnections: 1 })], {
    queueLength: 0,
  }));
  const found: (Place | NoPlace)[] = [];
  const enter = () => balancer.acquire({ source: "", tried: new Set() }, (it) => found.push(it));
  enter()();
  enter()();
  assert.equal((found[0] as Place).addr, "a:1");
  assert.equal(found[1], "full");
  assert.equal(world.cell("a:1").open, 1);
});

Deno.test("a long line of people who leave at once is served without a stack as long", () => {
  const world = new BalanceWorld();
  const length = 5000;
  const balancer = world.balancer(
    balanced([backend("a:1", { maxConnections: 1 })], { queueLength: length }),
  );
  const place = ask(balancer) as Place;
  let served = 0;
  for (let i = 0; i < length; i++) {
    balancer.acquire({ source: "", tried: new Set() }, (found) => {
      served++;
      (found as Place).release();
    });
  }
  place.release();
  assert.deepEqual([served, balancer.waiting, balancer.open], [length, 0, 0]);
});

Deno.test("a line of the default length and time, where the route says nothing", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([backend("a:1", { maxConnections: 1 })]));
  ask(balancer);
  const answers = Array.from({ length: 129 }, () => ask(balancer));
  assert.equal(answers.filter((it) => it === "waits").length, 128);
  world.pass(5000 - BALANCE_LIMITS.pollMs);
  assert.equal(balancer.waiting, 128);
  world.pass(BALANCE_LIMITS.pollMs);
  assert.equal(balancer.waiting, 0);
  assert.equal(world.timers, 0);
});

Deno.test("Balancer.acquire() gives who is for one backend that one or none, however it is", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([
    "a:1",
    backend("b:1", { backup: true, maxConnections: 1 }),
    backend("c:1", { state: "drain" }),
  ], { queueLength: 0 }));
  const at = (only: string) => visit(balancer, { only });
  assert.equal(at("b:1"), "b:1", "a backup, although the primary is well");
  world.cell("b:1").checked("failing", world.nowMs);
  assert.equal(at("b:1"), "b:1", "one that fails, as it is the last there is");
  const place = ask(balancer, { only: "b:1" });
  assert.equal(at("b:1"), "full", "not more than it may have, and not another one");
  assert.ok(typeof place !== "string");
  place.release();
  assert.equal(at("c:1"), "none", "not one that drains");
  assert.equal(at("d:1"), "none");
});

Deno.test("who waits for one backend alone holds up nobody whom another one would do", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced([
    backend("a:1", { maxConnections: 1 }),
    backend("b:1", { maxConnections: 1 }),
  ], { queueLength: 1 }));
  const held = ask(balancer, { only: "a:1" });
  const order: string[] = [];
  const wait = (name: string, only?: string) =>
    balancer.acquire({ source: "", tried: new Set(), only }, (found) => {
      order.push(`${name} ${typeof found === "string" ? found : found.addr}`);
    });
  wait("alone", "a:1");
  assert.equal(balancer.waiting, 1);
  wait("first");
  assert.deepEqual(order, ["first b:1"], "the other one is free");
  wait("second");
  assert.equal(balancer.waiting, 2, "each line has a length of its own");
  wait("late", "a:1");
  assert.deepEqual(order, ["first b:1", "late full"]);
  assert.ok(typeof held !== "string");
  held.release();
  world.pass(BALANCE_LIMITS.pollMs);
  assert.equal(order.length, 3, "one place, one of the two");
  assert.equal(balancer.waiting, 1);
});
