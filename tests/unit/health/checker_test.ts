import assert from "node:assert/strict";
import { BackendCell } from "../../../lib/balance/mod.ts";
import {
  type Checked,
  Checker,
  type CheckTarget,
  type SharedChecks,
} from "../../../lib/health/mod.ts";
import { HEALTH } from "../../../lib/state/mod.ts";
import { Report } from "../../../lib/schema/mod.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const BEGIN = Date.UTC(2026, 10, 27);

/** As they are where nobody says otherwise. */
const DEFAULTS = HEALTH.read({}, { path: [], report: new Report() });

function target(addr: string, more: Partial<typeof DEFAULTS> = {}): Checked {
  return {
    key: `1 ${addr}`,
    cell: new BackendCell(BackendCell.create(BEGIN)),
    route: { hostname: "a.test", mode: "l4", backendTls: false, sendProxyProtocol: false },
    addr,
    health: { ...DEFAULTS, ...more },
  };
}

/** A checker whose time, chance and results are the test's. */
class World implements Disposable {
  readonly timers = new FakeTimers();
  readonly checks: { readonly addr: string; readonly at: number }[] = [];
  /** What becomes of checks: an empty text is a success. */
  result: string | (() => Promise<void>) = "";
  random = 0.5;
  changes = 0;
  signal: AbortSignal | undefined;
  readonly checker: Checker;

  constructor() {
    this.checker = new Checker({
      check: async ({ addr }: CheckTarget, signal) => {
        this.checks.push({ addr, at: this.timers.now() });
        this.signal = signal;
        if (typeof this.result !== "string") return await this.result();
        if (this.result !== "") throw new Error(this.result);
      },
      onChange: () => this.changes++,
      now: () => BEGIN + this.timers.now(),
      random: () => this.random,
    });
  }

  /** Lets time pass until the next check is over. */
  async next(result = ""): Promise<void> {
    this.result = result;
    const before = this.checks.length;
    for (let ms = 0; this.checks.length === before; ms += 100) {
      assert.ok(ms < 60_000, "no check within a minute");
      this.timers.advance(100);
      await this.timers.settle();
    }
    await this.timers.settle();
  }

  async pass(ms: number): Promise<void> {
    this.timers.advance(ms);
    await this.timers.settle();
  }

  [Symbol.dispose](): void {
    this.checker[Symbol.dispose]();
    assert.equal(this.timers.pending, 0);
    this.timers[Symbol.dispose]();
  }
}

Deno.test("the defaults of checks are those that are written down", () => {
  const { intervalMs, timeoutMs, fall, rise } = DEFAULTS;
  assert.deepEqual([intervalMs, timeoutMs, fall, rise], [5000, 2000, 3, 2]);
});

Deno.test("Checker checks within a second, then after the interval, give or take a tenth", async () => {
  for (const [random, first, interval] of [[0, 0, 4500], [0.5, 500, 5000], [1, 1000, 5500]]) {
    using world = new World();
    world.random = random as number;
    world.checker.follow([target("a:1")]);
    await world.pass(first as number);
    assert.deepEqual(world.checks.map(({ at }) => at), [first]);
    await world.pass(interval as number - 1);
    assert.equal(world.checks.length, 1, "not before");
    await world.pass(1);
    assert.equal(world.checks.length, 2);
  }
});

Deno.test("the first result counts at once, as after a restart, when nothing is known", async () => {
  for (const [result, found] of [["", "passing"], ["refused", "failing"]] as const) {
    using world = new World();
    const one = target("a:1");
    world.checker.follow([one]);
    assert.equal(one.cell.check, "unknown");
    await world.next(result);
    assert.equal(one.cell.check, found);
    assert.equal(world.changes, 1);
    assert.equal(world.checker.reason(one.key), result);
  }
});

Deno.test("Checker takes a backend out after three failures in a row, and back after two successes", async () => {
  using world = new World();
  const one = target("a:1");
  world.checker.follow([one]);
  const found: string[] = [];
  const results = ["", "a", "b", "", "c", "d", "e", "", "f", "", ""];
  for (const result of results) {
    await world.next(result);
    found.push(one.cell.check === "passing" ? "+" : "-");
  }
  // A success in between begins the count anew, and so does a failure.
  assert.equal(found.join(""), "++++++----+");
  assert.equal(world.changes, 3);
  assert.equal(world.checker.reason(one.key), "f", "why it failed last");
});

Deno.test("Checker has at most 32 checks under way, and the others come as these end", async () => {
  using world = new World();
  const ends: (() => void)[] = [];
  world.result = () => new Promise((resolve) => ends.push(resolve));
  world.checker.follow(Array.from({ length: 40 }, (_, i) => target(`a:${i + 1}`)));
  assert.equal(world.checker.size, 40);
  await world.pass(1000);
  assert.equal(world.checks.length, 32);
  ends.shift()?.();
  await world.timers.settle();
  assert.equal(world.checks.length, 33);
  for (const end of ends.splice(0)) end();
  await world.timers.settle();
  assert.equal(world.checks.length, 40);
  for (const end of ends) end();
  await world.timers.settle();
  assert.equal(new Set(world.checks.map(({ addr }) => addr)).size, 40, "each of them once");
});

Deno.test("Checker.follow() forgets who is not there any more, keeps who is as before, and begins anew with others", async () => {
  using world = new World();
  const [one, other] = [target("a:1", { fall: 2 }), target("b:1", { fall: 2 })];
  world.checker.follow([one, other]);
  await world.next();
  await world.next("once");
  assert.equal(one.cell.check, "passing");
  world.checker.follow([{ ...one }]);
  assert.equal(world.checker.size, 1);
  assert.equal(other.cell.check, "unknown", "nobody knows how it is");
  await world.next("twice");
  assert.equal(one.cell.check, "failing", "the count went on");
  const before = world.checks.length;
  await world.pass(4000);
  assert.ok(world.checks.slice(before).every(({ addr }) => addr === "a:1"));
  const count = world.checks.length;
  world.checker.follow([{ ...one, health: { ...one.health, intervalMs: 60_000, rise: 1 } }]);
  await world.pass(600);
  assert.equal(world.checks.length, count + 1, "new settings are tried soon");
});

Deno.test("a result that comes when nobody asks any more changes nothing", async () => {
  using world = new World();
  let fail = (_: Error) => {};
  world.result = () => new Promise((_, reject) => fail = reject);
  const one = target("a:1");
  world.checker.follow([one]);
  await world.pass(1000);
  assert.equal(world.checks.length, 1);
  world.checker.follow([]);
  fail(new Error("late"));
  await world.timers.settle();
  assert.equal(one.cell.check, "unknown");
  assert.equal(world.changes, 0);
});

Deno.test("disposing of a checker gives up what is under way, and begins nothing more", async () => {
  using world = new World();
  let fail = (_: Error) => {};
  world.result = () => new Promise((_, reject) => fail = reject);
  const one = target("a:1");
  world.checker.follow([one]);
  await world.pass(1000);
  world.checker[Symbol.dispose]();
  assert.ok(world.signal?.aborted);
  fail(new Error("given up"));
  await world.pass(60_000);
  assert.equal(world.checks.length, 1);
  assert.equal(one.cell.check, "unknown");
});

/** What other proxies of a group say of one backend; `isOurs`: this one is to check it. */
class Others {
  isOurs = false;
  passing = 0;
  failing = 0;
  verdict() {
    return { passing: this.passing, failing: this.failing };
  }
}

/** A checker in a group, of one backend. */
function shared(world: World, others: Others) {
  const one: Checked = { ...target("a:1"), name: "edge a.test a:1" };
  let told = 0;
  const view = { isOurs: () => others.isOurs, verdict: () => others.verdict() };
  world.checker.share(view as unknown as SharedChecks, () => told++);
  world.checker.follow([one]);
  return {
    cell: one.cell,
    reason: () => world.checker.reason(one.key),
    told: () => told,
    hear(news: Partial<Others>) {
      Object.assign(others, news);
      world.checker.review();
    },
    async silence() {
      const before = world.checks.length;
      for (let i = 0; i < 40; i++) await world.pass(500);
      assert.equal(world.checks.length, before, "others look after it");
    },
  };
}

Deno.test("Checker believes others that a backend is well, and checks nothing then", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { passing: 2 }));
  assert.equal(one.cell.check, "passing");
  await one.silence();
  assert.deepEqual(world.checker.told(), { passing: "", failing: "" });
  assert.equal(world.checker.checked, 0);
  // They are gone: nobody knows, so this one looks, and nothing changes until it has.
  one.hear({ passing: 0 });
  assert.equal(one.cell.check, "passing");
  await world.next("");
  assert.equal(world.checker.checked, 1);
  assert.equal(world.checker.told().passing.length, 8);
});

Deno.test("Checker takes a backend down because most say so, and takes that back by a look of its own", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { passing: 2 }));
  one.hear({ passing: 0, failing: 2 });
  assert.equal(one.cell.check, "failing");
  assert.match(one.reason(), /other proxies/);
  await world.next("");
  assert.equal(one.cell.check, "passing", "here it is well");
  // As long as they disagree, this one goes on looking for itself.
  for (const [result, held] of [["a", "passing"], ["b", "passing"]]) {
    await world.next(result);
    assert.equal(one.cell.check, held);
  }
  await world.next("c");
  assert.equal(one.cell.check, "failing");
  await one.silence();
  assert.equal(one.reason(), "c");
  assert.equal(one.told(), 0, "nobody is told what others know");
  // Others find it well again: one look of its own is enough.
  one.hear({ passing: 2, failing: 0 });
  assert.equal(one.cell.check, "failing");
  await world.next("");
  assert.equal(one.cell.check, "passing");
  await one.silence();
});

Deno.test("Checker takes no backend down because one of two says so, but looks at once", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { passing: 2 }));
  one.hear({ passing: 1, failing: 1 });
  assert.equal(one.cell.check, "passing");
  await world.pass(100);
  assert.equal(world.checks.length, 1, "within a tenth of a second");
  assert.equal(one.cell.check, "passing");
  // And again, now after the interval.
  await world.next("refused");
  assert.equal(one.cell.check, "passing", "three in a row, after it was found well");
});

Deno.test("Checker holds a backend for failing that it finds so at the first look, as one of two others", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { passing: 2 }));
  one.hear({ passing: 1, failing: 1 });
  await world.next("refused");
  assert.equal(one.cell.check, "failing");
});

Deno.test("Checker that checks a backend for its group goes by what it finds, and has it told", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { isOurs: true, passing: 1 }));
  assert.equal(one.cell.check, "passing", "until it has looked itself");
  for (const result of ["", "a", "b", "c"]) await world.next(result);
  assert.equal(one.cell.check, "failing", "whatever another finds");
  assert.equal(one.told(), 1);
  assert.deepEqual(world.checker.told().failing.length, 8);
  await world.next("");
  await world.next("");
  assert.equal(one.cell.check, "passing");
  assert.equal(one.told(), 2);
  // It is another's turn.
  one.hear({ isOurs: false, passing: 2 });
  await one.silence();
  assert.deepEqual(world.checker.told(), { passing: "", failing: "" });
});

Deno.test("Checker whose rest is over while a check is under way goes on with one check at a time", async () => {
  using world = new World();
  const one = shared(world, Object.assign(new Others(), { isOurs: true }));
  let end = () => {};
  world.result = () => new Promise((resolve) => end = resolve);
  await world.pass(1_000);
  assert.equal(world.checks.length, 1);
  one.hear({ isOurs: false, passing: 2 });
  one.hear({ isOurs: true, passing: 1 });
  end();
  await world.timers.settle();
  world.result = "";
  for (let i = 0; i < 40; i++) await world.pass(500);
  assert.ok(world.checks.length <= 6, `${world.checks.length} checks in 20 s, each 5`);
  assert.ok(world.checks.length >= 3);
});
