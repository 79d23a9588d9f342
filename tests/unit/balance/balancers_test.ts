import assert from "node:assert/strict";
import { Balancers, type Place } from "../../../lib/balance/mod.ts";
import { ask, backend, balanced, BalanceWorld, visit } from "../../support/balancing.ts";

/** How long a balancer is kept that nobody uses, in seconds. */
const IDLE_S = 60;

/** The balancers of one thread, whose seconds are the test's. */
class Thread {
  readonly world = new BalanceWorld();
  readonly balancers: Balancers;
  #now = 0;
  #due: (() => void) | undefined;

  constructor() {
    this.balancers = new Balancers({
      worker: 0,
      now: () => this.#now,
      wallNow: () => this.world.nowMs,
      random: () => 0,
      after: (ms, fn) => {
        // Lines of those who wait have timers of their own: nobody's time is up here.
        if (ms < 1000) return () => {};
        assert.equal(ms, 1000);
        assert.equal(this.#due, undefined, "one timer is enough");
        this.#due = fn;
        return () => this.#due = undefined;
      },
    });
  }

  /** Whether it will look again. */
  get isTicking(): boolean {
    return this.#due !== undefined;
  }

  /** Lets seconds pass. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.#now += 1000;
      const due = this.#due;
      this.#due = undefined;
      due?.();
    }
  }
}

const route = balanced(["a:1", "b:1"]);

Deno.test("balancers are those of their routes, and use the memory that threads share", () => {
  const { balancers, world } = new Thread();
  const shared = world.cell("a:1");
  balancers.setCells([{ route: 1, addr: "a:1", buffer: shared.buffer }], []);
  const balancer = balancers.of(route);
  assert.equal(balancers.of(balanced(["a:1", "b:1"])), balancer);
  assert.notEqual(balancers.of({ ...route, id: 2 }), balancer);
  const place = ask(balancer) as Place;
  assert.equal(place.addr, "a:1");
  assert.equal(shared.open, 1);
  // Memory that is gone is used no more, and of another route it never was.
  balancers.setCells([], [{ route: 1, addr: "a:1" }]);
  const tried = ["b:1"];
  assert.equal((ask(balancers.of(balanced(["a:1", "b:1"])), { tried }) as Place).addr, "a:1");
  assert.equal(shared.open, 1);
});

Deno.test("a balancer keeps counts to itself where no memory is shared", () => {
  const { balancers } = new Thread();
  const full = backend("a:1", { maxConnections: 1 });
  ask(balancers.of(balanced([full])));
  assert.equal(ask(balancers.of(balanced([full]))), "waits");
});

Deno.test("a route that has changed is followed when it is asked for, and when it is told", () => {
  const { balancers } = new Thread();
  const balancer = balancers.of(balanced(["a:1"]));
  assert.equal(visit(balancers.of(balanced(["b:1"]))), "b:1");
  balancers.changed([balanced(["c:1"])]);
  assert.equal(visit(balancer), "c:1");
  // It has no backends to choose from any more, and nobody will ask.
  balancers.changed([{ id: 1 }, { ...balanced(["d:1"]), id: 2 }]);
  assert.equal(visit(balancer), "c:1");
});

Deno.test("a balancer that nobody has used for a minute is forgotten, and then nobody looks", () => {
  const thread = new Thread();
  const { balancers } = thread;
  const balancer = balancers.of(route);
  thread.pass(IDLE_S - 1);
  assert.equal(balancers.of(route), balancer);
  thread.pass(IDLE_S - 1);
  assert.ok(thread.isTicking);
  thread.pass(1);
  assert.ok(!thread.isTicking);
  assert.notEqual(balancers.of(route), balancer);
  assert.ok(thread.isTicking);
});

Deno.test("a balancer is not forgotten while somebody has a place, or waits for one", () => {
  const thread = new Thread();
  const { balancers, world } = thread;
  const balancer = balancers.of(route);
  const place = ask(balancer) as Place;
  thread.pass(2 * IDLE_S);
  assert.equal(balancers.of(route), balancer);
  place.release();
  // Full by what another thread has: here is nothing but one who waits.
  const cell = world.cell("c:1");
  cell.acquire(1, 0);
  balancers.setCells([{ route: 2, addr: "c:1", buffer: cell.buffer }], []);
  const full = { ...balanced([backend("c:1", { maxConnections: 1 })]), id: 2 };
  const other = balancers.of(full);
  let found: unknown;
  const leave = other.acquire({ source: "", tried: new Set() }, (it) => found = it);
  assert.deepEqual([other.open, other.waiting, found], [0, 1, undefined]);
  thread.pass(2 * IDLE_S);
  assert.equal(balancers.of(full), other);
  leave();
});

Deno.test("balancers see each second which connections were answered, and nothing when disposed", () => {
  const thread = new Thread();
  const { balancers, world } = thread;
  const cell = world.cell("a:1");
  balancers.setCells([{ route: 1, addr: "a:1", buffer: cell.buffer }], []);
  const balancer = balancers.of(route);
  cell.failed();
  const relay = { bytesOut: 0 };
  (ask(balancer) as Place).watch(relay);
  relay.bytesOut = 1;
  thread.pass(1);
  assert.equal(cell.failures, 0);
  balancers[Symbol.dispose]();
  assert.ok(!thread.isTicking);
  assert.notEqual(balancers.of(route), balancer);
  balancers[Symbol.dispose]();
});
