import assert from "node:assert/strict";
import { type Clock, Deadlines } from "../../../lib/relay/mod.ts";
import { FakeClock } from "../../support/clock.ts";

function clockOf(fake: FakeClock): Clock {
  return {
    now: fake.now,
    wallNow: fake.now,
    every(ms, fn) {
      let id = 0;
      const again = () => id = fake.setTimeout(() => (again(), fn()), ms);
      again();
      return () => fake.clearTimeout(id);
    },
  };
}

Deno.test("Deadlines calls once, never early and at most an eighth late", () => {
  const fake = new FakeClock();
  const deadlines = new Deadlines(800, clockOf(fake));
  let fired = 0;
  fake.advance(33);
  deadlines.arm(() => fired++);
  fake.advance(799);
  assert.equal(fired, 0);
  fake.advance(101);
  assert.equal(fired, 1);
  fake.advance(5000);
  assert.equal(fired, 1);
});

Deno.test("Deadlines starts anew when touched", () => {
  const fake = new FakeClock();
  const deadlines = new Deadlines(800, clockOf(fake));
  let fired = 0;
  const wait = deadlines.arm(() => fired++);
  for (let i = 0; i < 10; i++) {
    fake.advance(700);
    wait.touch();
  }
  assert.equal(fired, 0);
  fake.advance(900);
  assert.equal(fired, 1);
});

Deno.test("Deadlines keeps its timer for who asks for it, until the last has let go", () => {
  const fake = new FakeClock();
  const deadlines = new Deadlines(800, clockOf(fake));
  const release = [deadlines.keep(), deadlines.keep()];
  deadlines.arm(assert.fail).cancel();
  assert.equal(fake.pending, 1, "it goes on without a wait");
  release[0]?.();
  release[0]?.();
  deadlines.arm(assert.fail).cancel();
  assert.equal(fake.pending, 1, "one is left");
  const wait = deadlines.arm(assert.fail);
  release[1]?.();
  assert.equal(fake.pending, 1, "something waits");
  wait.cancel();
  assert.equal(fake.pending, 0);
});

Deno.test("Deadlines keeps no timer when nothing waits", () => {
  const fake = new FakeClock();
  const deadlines = new Deadlines(800, clockOf(fake));
  const waits = [deadlines.arm(assert.fail), deadlines.arm(assert.fail)];
  assert.equal(fake.pending, 1);
  waits[0]?.cancel();
  assert.equal(fake.pending, 1);
  waits[1]?.cancel();
  waits[1]?.cancel();
  assert.equal(fake.pending, 0);
  fake.advance(10_000);
  deadlines.arm(() => {});
  assert.equal(fake.pending, 1);
});

Deno.test("Deadlines lets a callback cancel another wait that is due too", () => {
  const fake = new FakeClock();
  const deadlines = new Deadlines(800, clockOf(fake));
  const fired: string[] = [];
  deadlines.arm(() => (fired.push("a"), b.cancel()));
  const b = deadlines.arm(() => fired.push("b"));
  fake.advance(2000);
  assert.deepEqual(fired, ["a"]);
});
