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
