import assert from "node:assert/strict";
import { RuleExpiry } from "../../../lib/control/expiry.ts";
import type { ServedState } from "../../../lib/control/mod.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const HOUR_MS = 3_600_000;

/** One rule that ends at `expiresAt` on a wall clock that the test sets, beside its timers. */
function setUp(timers: FakeTimers, expiresAt: number) {
  const wall = { ahead: 0, fails: false, role: "ours", commits: 0, looks: 0 };
  let rules = [{ id: 1, type: "ip", value: "192.0.2.1", hits: 0, createdAt: 0, expiresAt }];
  const logs: LogRecord[] = [];
  const state = {
    database: {
      role: { look: () => wall.role },
      rules: {
        nextExpiry: () => rules[0]?.expiresAt,
        expired: (time: number) => rules.filter((rule) => rule.expiresAt <= time),
      },
    },
    exclusive: (body: () => Promise<void>) => {
      wall.looks++;
      return body();
    },
    commit: (differences: readonly unknown[]) => {
      if (wall.fails) return Promise.reject(new Error("disk full"));
      wall.commits += differences.length;
      if (differences.length > 0) rules = [];
      return Promise.resolve();
    },
  };
  const expiry = new RuleExpiry({
    state: state as unknown as ServedState,
    now: () => timers.now() + wall.ahead,
    log: (record) => void logs.push(record),
  });
  return { expiry, wall, logs };
}

Deno.test("RuleExpiry removes a rule when its time has come, and then looks no more", async () => {
  using timers = new FakeTimers();
  const { expiry, wall } = setUp(timers, 5000);
  expiry.schedule();
  timers.advance(4999);
  assert.equal(wall.looks, 0);
  timers.advance(1);
  await timers.settle();
  assert.deepEqual([wall.commits, timers.pending], [1, 0]);
});

Deno.test("RuleExpiry notices within ten seconds that the clock was set forward", async () => {
  using timers = new FakeTimers();
  const { expiry, wall } = setUp(timers, HOUR_MS);
  expiry.schedule();
  wall.ahead = HOUR_MS;
  timers.advance(9_999);
  await timers.settle();
  assert.equal(wall.looks, 0, "not yet");
  timers.advance(1);
  await timers.settle();
  assert.equal(wall.commits, 1);
});

Deno.test("RuleExpiry tries again ten seconds after a failure", async () => {
  using timers = new FakeTimers();
  const { expiry, wall, logs } = setUp(timers, 1000);
  wall.fails = true;
  expiry.schedule();
  timers.advance(1000);
  await timers.settle();
  assert.deepEqual(logs.map(({ level }) => level), ["error"]);
  wall.fails = false;
  timers.advance(9999);
  await timers.settle();
  assert.equal(wall.commits, 0);
  timers.advance(1);
  await timers.settle();
  assert.equal(wall.commits, 1);
});

Deno.test("RuleExpiry leaves a database alone that another process writes", async () => {
  using timers = new FakeTimers();
  const { expiry, wall } = setUp(timers, 1000);
  wall.role = "theirs";
  expiry.schedule();
  timers.advance(1000);
  await timers.settle();
  assert.deepEqual([wall.looks, wall.commits], [1, 0]);
  expiry.close();
});

Deno.test("RuleExpiry does nothing any more once it is closed", async () => {
  using timers = new FakeTimers();
  const { expiry, wall } = setUp(timers, 1000);
  expiry.schedule();
  expiry.close();
  expiry.schedule();
  assert.equal(timers.pending, 0);
  timers.advance(2000);
  await timers.settle();
  assert.equal(wall.looks, 0);
});
