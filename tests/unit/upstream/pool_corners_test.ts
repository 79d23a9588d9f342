import assert from "node:assert/strict";
import { Pool, POOL_LIMITS } from "../../../lib/upstream/mod.ts";
import { FakeBackend, FakeWaiter } from "../../support/fake_links.ts";
import { failed, served } from "../../support/pool_counts.ts";

Deno.test("isEmpty: neither a connection nor a request is there", () => {
  const limits = { ...POOL_LIMITS, maxConnections: 1 };
  const backend = new FakeBackend({ expects: "http/1.1" }, limits);
  assert.equal(backend.pool.isEmpty, true);
  const waiter = backend.ask();
  assert.equal(backend.pool.isEmpty, false);
  backend.pool.cancel(waiter);
  assert.equal(backend.pool.isEmpty, false, "one is being opened");
  backend.last.fail();
  assert.equal(backend.pool.isEmpty, true);
});

Deno.test("a failed connection of HTTP/2 fails nobody while another is open, full or not", () => {
  const backend = new FakeBackend({ expects: "h2" }, { clientShare: 1, assumedStreams: 1 });
  const first = backend.ask();
  backend.last.succeed("h2", 1);
  const second = backend.ask();
  assert.equal(backend.attempts.length, 2);
  backend.last.fail();
  assert.equal(failed([second]), 1, "it was opened for one");
  const third = backend.askMany(2);
  backend.last.open("h2");
  assert.equal(failed(third), 0);
  first.finish();
  assert.equal(served(third), 1);
});

Deno.test("a failed connection that many wait for fails none of them while another serves", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const holders = backend.ask();
  backend.last.succeed("h2", 1);
  const waiting = backend.askMany(5);
  assert.equal(backend.attempts.length, 2);
  backend.last.fail();
  assert.equal(failed(waiting), 0);
  assert.equal(backend.attempts.length, 3, "and is tried again");
  holders.finish();
  assert.equal(served(waiting), 1);
});

Deno.test("a failed connection of HTTP/1.1 fails one while another is in use, all when none is", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 2, clientShare: 1 });
  const first = backend.ask();
  backend.last.succeed("http/1.1");
  const waiting = backend.askMany(3);
  assert.equal(backend.attempts.length, 2);
  backend.last.fail();
  assert.equal(failed(waiting), 1);
  assert.equal(waiting[0]?.failure?.kind, "unreachable", "the oldest");
  assert.equal(backend.attempts.length, 3, "the next one has its own attempt");
  first.breakOff();
  backend.last.fail();
  assert.equal(failed(waiting), 2);
});

Deno.test("a connection that drains without a request ends at once, and who waits gets another", () => {
  const backend = new FakeBackend({ expects: "h2" }, { clientShare: 1 });
  const first = backend.ask();
  const link = backend.last.succeed("h2", 1);
  first.finish();
  link.events.onDraining();
  assert.equal(link.closed, true);
  assert.equal(backend.pool.size, 0);

  const holder = backend.ask();
  const busy = backend.last.succeed("h2", 1);
  const other = new FakeBackend({ expects: "h2" }, { maxH2Connections: 1, clientShare: 1 });
  other.ask();
  const only = other.last.succeed("h2", 1);
  other.ask({ client: "x" });
  assert.equal(other.attempts.length, 1);
  only.draining = true;
  only.events.onDraining();
  assert.equal(other.attempts.length, 2, "it does not count among those that take requests");
  assert.equal(only.closed, false);
  holder.finish();
  assert.equal(busy.closed, false);
});

Deno.test("an idle connection that has become useless is passed over for the one before it", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const waiters = backend.askMany(3);
  const links = backend.attempts.map((attempt) => attempt.succeed("http/1.1"));
  for (const waiter of waiters) waiter.finish();
  const last = links[2];
  assert.ok(last);
  last.draining = true; // Not available, and not announced.
  assert.equal(backend.ask().lease?.link, links[1]);
  assert.equal(last.closed, true);
  assert.equal(backend.ask().lease?.link, links[0]);
});

Deno.test("connections idle in the middle of the stack are taken out when they end", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const waiters = backend.askMany(3);
  const links = backend.attempts.map((attempt) => attempt.succeed("http/1.1"));
  for (const waiter of waiters) waiter.finish();
  links[1]?.end("http/1.1");
  assert.equal(backend.ask().lease?.link, links[2]);
  assert.equal(backend.ask().lease?.link, links[0]);
  backend.ask();
  assert.equal(backend.attempts.length, 4);
});

Deno.test("tick() leaves connections that are in use and closes those that are not, oldest too", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const [first, second] = backend.askMany(2);
  const links = backend.attempts.map((attempt) => attempt.succeed("http/1.1"));
  second?.finish();
  backend.advance(5000);
  assert.deepEqual(links.map(({ closed }) => closed), [false, true]);
  first?.finish();
  assert.equal(backend.ask().lease?.link, links[0]);
});

Deno.test("connections that have ended make room for as many others, for ever", () => {
  for (const expects of ["h2", "http/1.1"] as const) {
    const limits = { maxH2Connections: 2, maxConnections: 2, clientShare: 1 };
    const backend = new FakeBackend({ expects }, limits);
    for (let round = 0; round < 20; round++) {
      const waiter = backend.ask();
      const link = backend.last.succeed(expects);
      assert.equal(waiter.lease?.link, link, `${expects}, round ${round}`);
      link.end("http/1.1");
      waiter.breakOff();
    }
    assert.equal(backend.pool.isEmpty, true);
  }
});

Deno.test("a connection that costs its client more than was thought goes to another client", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxH2Connections: 2 });
  const mine = backend.askMany(2, { client: "a" });
  backend.last.succeed("h2", 1); // Half of the pool.
  assert.equal(backend.attempts.length, 2);
  const link = backend.last.succeed("h2", 1);
  assert.equal(served(mine), 1);
  assert.equal(backend.pool.load.waiting, 1);
  const other = backend.ask({ client: "b" });
  assert.equal(other.lease?.link, link);
  other.finish();
  assert.equal(served(mine), 1, "what others give back is not for it");
  mine[0]?.finish();
  assert.equal(served(mine), 2);
  assert.equal(backend.pool.load.waiting, 0);
  mine[1]?.finish();
  assert.equal(backend.pool.clients, 0);
});

Deno.test("an idle connection of HTTP/2 that ends is not closed again to make room", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxConnections: 1 });
  const [one, two] = [{}, {}];
  backend.ask({ affinity: one }).breakOff();
  const waiter = backend.ask({ affinity: one });
  const link = backend.last.succeed("h2");
  waiter.finish();
  link.end("other");
  const other = backend.ask({ affinity: two, client: "b" });
  assert.equal(backend.last.succeed("h2"), other.lease?.link);
});

Deno.test("a pool has the limits that the documents say, where nobody says others", () => {
  const dialer = { open: () => () => {} };
  const timers = { now: () => 0, after: () => () => {} };
  const options = {
    dialer,
    timers,
    expects: "h2",
    overTls: false,
    connectTimeoutMs: 5000,
  } as const;
  const pool = new Pool(options);
  pool.acquire(new FakeWaiter(), { client: "c", affinity: undefined, tunnel: false });
  assert.deepEqual([pool.isEmpty, pool.load.waiting], [false, 1]);
});

Deno.test("no timer is left when nobody waits any more", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 1000 });
  backend.ask();
  backend.clock.advance(1000);
  assert.notEqual(backend.last.abandoned, undefined);
  assert.equal(backend.clock.pending, 0);
});

Deno.test("each connection that does not open in time is given up, also one that nobody waits for", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 1000 });
  backend.ask({ client: "a" });
  backend.clock.advance(400);
  const other = backend.ask({ client: "b" });
  const [first, second] = backend.attempts;
  backend.pool.cancel(other);
  backend.clock.advance(600);
  assert.deepEqual([first?.waiting, second?.waiting], [false, true]);
  backend.clock.advance(400);
  assert.equal(second?.waiting, false);
});

Deno.test("room is made by connections that are there, not by those that have ended", () => {
  for (const how of ["in use", "idle"] as const) {
    const backend = new FakeBackend({ expects: "h2" }, { maxConnections: 2, clientShare: 1 });
    const open = () => {
      const waiter = backend.ask({ affinity: {} });
      return { waiter, link: backend.last.succeed("h2") };
    };
    const ended = open();
    if (how === "idle") ended.waiter.finish();
    ended.link.end("other");
    if (how === "in use") ended.waiter.breakOff();
    const idle = open();
    idle.waiter.finish();
    open();
    assert.equal(backend.pool.size, 2);
    const last = open();
    assert.equal(idle.link.closed, true, how);
    assert.equal(last.waiter.lease?.link, last.link);
  }
});
