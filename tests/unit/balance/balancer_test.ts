import assert from "node:assert/strict";
import {
  BALANCE_LIMITS,
  type Balancer,
  type NoPlace,
  type Place,
} from "../../../lib/balance/mod.ts";
import { ask, backend, balanced, BalanceWorld, visit } from "../../support/balancing.ts";

const { failures } = BALANCE_LIMITS;

function fail(balancer: Balancer, addr: string, tried: readonly string[]): void {
  const place = ask(balancer, { tried });
  assert.ok(typeof place !== "string", String(place));
  assert.equal(place.addr, addr);
  place.failed();
  place.release();
}

Deno.test("failures in a row take a backend out, seen by all threads, and it comes back in time", () => {
  const world = new BalanceWorld();
  const route = balanced(["a:1", "b:1"]);
  const [one, other] = [world.balancer(route), world.balancer(route, { worker: 1 })];
  for (let i = 0; i < failures; i++) fail(i % 2 ? one : other, "b:1", ["a:1"]);
  for (let i = 0; i < 4; i++) {
    assert.equal(visit(one), "a:1");
    assert.equal(visit(other), "a:1");
  }
  world.pass(BALANCE_LIMITS.outMs);
  assert.ok([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].some(() => visit(one) === "b:1"));
});

Deno.test("an answer in between begins the count anew", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  for (let round = 0; round < 3; round++) {
    for (let i = 1; i < failures; i++) fail(balancer, "b:1", ["a:1"]);
    const place = ask(balancer, { tried: ["a:1"] }) as Place;
    place.succeeded();
    place.release();
  }
  assert.ok(world.cell("b:1").isWell(world.nowMs));
});

Deno.test("a connection that has carried something is an answer, also while it lasts", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  const relay = { bytesOut: 0 };
  const place = ask(balancer, { tried: ["a:1"] }) as Place;
  place.watch(relay);
  for (let i = 1; i < failures; i++) fail(balancer, "b:1", ["a:1"]);
  relay.bytesOut = 1;
  fail(balancer, "b:1", ["a:1"]);
  assert.ok(world.cell("b:1").isWell(world.nowMs));
  assert.equal(world.cell("b:1").failures, 1);
  balancer.tick();
  assert.equal(world.cell("b:1").failures, 1, "it has been counted");
  place.release();
  const silent = { bytesOut: 0 };
  const mute = ask(balancer, { tried: ["a:1"] }) as Place;
  mute.watch(silent);
  mute.release();
  silent.bytesOut = 1;
  balancer.tick();
  assert.equal(world.cell("b:1").failures, 1, "nobody looks at what is over");
  const spoke = { bytesOut: 0 };
  const last = ask(balancer, { tried: ["a:1"] }) as Place;
  last.watch(spoke);
  spoke.bytesOut = 1;
  last.release();
  assert.equal(world.cell("b:1").failures, 0);
});

Deno.test("a backend that is alone is never taken out, and neither is one whose others are", () => {
  const world = new BalanceWorld();
  for (
    const route of [
      balanced([backend("a:1", { maxConnections: 9 })]),
      balanced(["a:1", backend("b:1", { state: "drain" }), backend("c:1", { state: "down" })]),
    ]
  ) {
    const alone = world.balancer(route);
    for (let i = 0; i < 3 * failures; i++) fail(alone, "a:1", []);
    assert.ok(world.cell("a:1").isWell(world.nowMs));
    assert.equal(visit(alone), "a:1");
  }
});

Deno.test("when the last one fails too all are tried in turn, and the first that answers is back", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1", "c:1"]));
  for (let i = 0; i < failures; i++) fail(balancer, "c:1", ["a:1", "b:1"]);
  const late = ask(balancer, { tried: ["b:1"] }) as Place;
  assert.equal(late.addr, "a:1");
  for (const addr of ["a:1", "b:1"]) {
    while (!world.cell(addr).isOut(world.nowMs)) {
      const place = ask(balancer) as Place;
      place.failed();
      place.release();
    }
  }
  const places = [1, 2, 3].map(() => ask(balancer) as Place);
  assert.deepEqual(places.map(({ addr }) => addr).sort(), ["a:1", "b:1", "c:1"]);
  // One from before says nothing of now.
  late.succeeded();
  assert.ok(world.cell("a:1").isOut(world.nowMs));
  places.find(({ addr }) => addr === "b:1")?.succeeded();
  assert.ok(world.cell("b:1").isWell(world.nowMs));
  for (let i = 0; i < 4; i++) assert.equal(visit(balancer), "b:1");
  assert.equal(world.cell("b:1").share(world.nowMs), BALANCE_LIMITS.leastShare);
  const relay = { bytesOut: 0 };
  const probe = places.find(({ addr }) => addr === "c:1") as Place;
  probe.watch(relay);
  relay.bytesOut = 1;
  balancer.tick();
  assert.ok(world.cell("c:1").isWell(world.nowMs));
});

Deno.test("the last primary is taken out when a backup is there", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", backend("z:1", { backup: true })]));
  for (let i = 0; i < failures; i++) fail(balancer, "a:1", []);
  assert.ok(world.cell("a:1").isOut(world.nowMs));
  assert.equal(visit(balancer), "z:1");
});

Deno.test("whoever has failed goes to another, to backups after all primaries, and not for ever", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(
    balanced(["a:1", "b:1", backend("z:1", { backup: true }), backend("y:1", { backup: true })]),
  );
  assert.equal(visit(balancer, { tried: ["a:1"] }), "b:1");
  assert.match(visit(balancer, { tried: ["a:1", "b:1"] }), /[yz]:1/);
  assert.equal(visit(balancer, { tried: ["a:1", "b:1", "z:1", "y:1"] }), "none");
  const tried = (...addrs: string[]) => new Set(addrs);
  assert.ok(balancer.mayRetry(tried("a:1", "b:1")));
  assert.ok(!balancer.mayRetry(tried("a:1", "b:1", "z:1")), "attempts");
  assert.deepEqual([[], ["a:1"], ["a:1", "b:1"]].map((it) => balancer.attemptsLeft(tried(...it))), [
    2,
    1,
    1,
  ]);
});

Deno.test("a backup takes over from one primary, unless it is none that can be used", () => {
  const world = new BalanceWorld();
  const after = (more = {}) =>
    visit(world.balancer(balanced(["a:1", backend("z:1", { backup: true, ...more })])), {
      tried: ["a:1"],
    });
  assert.equal(after(), "z:1");
  assert.equal(after({ state: "drain" }), "none");
  world.cell("z:1").checked("failing", world.nowMs);
  assert.equal(after(), "none");
});

Deno.test("choices counts the backends that a first attempt could go to", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(
    balanced(["a:1", "b:1", backend("c:1", { state: "drain" }), backend("z:1", { backup: true })]),
  );
  assert.equal(balancer.choices, 2);
  world.cell("a:1").checked("failing", world.nowMs);
  assert.equal(balancer.choices, 1);
});

Deno.test("there is no other backend for one that was to all that are well", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  world.cell("b:1").checked("failing", world.nowMs);
  assert.ok(!balancer.mayRetry(new Set(["a:1"])));
  assert.equal(visit(balancer, { tried: ["a:1"] }), "none");
});

Deno.test("retries are a fifth of the dials of late, or ten", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  const retries = () => {
    let count = 0;
    while (count < 1000 && balancer.mayRetry(new Set(["a:1"]))) count++;
    return count;
  };
  assert.equal(retries(), 10);
  for (let i = 0; i < 100; i++) visit(balancer);
  assert.equal(retries(), 10, "20 in all");
  world.pass(BALANCE_LIMITS.budgetMs / 2);
  assert.equal(retries(), 0, "the window goes on");
  world.pass(BALANCE_LIMITS.budgetMs / 2);
  for (let i = 0; i < 99; i++) visit(balancer);
  world.pass(BALANCE_LIMITS.budgetMs / 2);
  visit(balancer);
  assert.equal(retries(), 20);
  world.pass(BALANCE_LIMITS.budgetMs);
  assert.equal(retries(), 10);
});

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

Deno.test("a change of the route keeps whose turn it is, and reaches those who wait", () => {
  const world = new BalanceWorld();
  const full = backend("a:1", { maxConnections: 1 });
  const balancer = world.balancer(balanced([full]));
  const place = ask(balancer) as Place;
  let found: Place | NoPlace | undefined;
  balancer.acquire({ source: "", tried: new Set() }, (it) => found = it);
  balancer.update(balanced([backend("a:1", { state: "drain", maxConnections: 1 }), "b:1"]));
  assert.equal((found as unknown as Place).addr, "b:1");
  place.release();
  assert.equal(world.cell("a:1").open, 0);
  const turns = world.balancer(balanced(["a:1", "b:1"]));
  assert.equal(visit(turns), "a:1");
  turns.update(balanced(["a:1", "b:1"]));
  assert.equal(visit(turns), "b:1");
});

Deno.test("a change of the route forgets no connection whose backend has yet to answer", () => {
  const world = new BalanceWorld();
  const balancer = world.balancer(balanced(["a:1", "b:1"]));
  fail(balancer, "b:1", ["a:1"]);
  const relay = { bytesOut: 0 };
  (ask(balancer, { tried: ["a:1"] }) as Place).watch(relay);
  balancer.update(balanced(["b:1", "a:1"]));
  balancer.tick();
  assert.equal(world.cell("b:1").failures, 1);
  relay.bytesOut = 1;
  balancer.tick();
  assert.equal(world.cell("b:1").failures, 0);
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
