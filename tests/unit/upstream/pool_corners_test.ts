import assert from "node:assert/strict";
import { Pool, POOL_LIMITS } from "../../../lib/upstream/mod.ts";
import { FakeBackend, FakeWaiter } from "../../support/fake_links.ts";

const served = (waiters: readonly FakeWaiter[]) => waiters.filter(({ lease }) => lease).length;
const failed = (waiters: readonly FakeWaiter[]) => waiters.filter(({ failure }) => failure).length;

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

Deno.test("a client at its limit leaves idle connections to others, and waits", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 4 });
  const mine = backend.askMany(2, { client: "a" });
  for (const attempt of [...backend.attempts]) attempt.succeed("http/1.1");
  const other = backend.ask({ client: "b" });
  backend.last.succeed("http/1.1");
  other.finish();
  const third = backend.ask({ client: "a" });
  assert.equal(served([third]), 0, "although one is idle");
  assert.equal(backend.attempts.length, 3, "and nothing is opened for it");
  mine[0]?.finish();
  assert.equal(served([third]), 1);
});

Deno.test("a request that waits beyond its client's share says so when its time is over", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 1000 }, {
    maxConnections: 2,
  });
  backend.ask({ client: "a" });
  backend.last.succeed("http/1.1");
  const parked = backend.ask({ client: "a" });
  backend.clock.advance(1000);
  assert.equal(parked.failure?.kind, "busy");
  assert.match(parked.failure?.reason ?? "", /share/);
  assert.equal(backend.pool.load.waiting, 0);
});

Deno.test("a request that waits for a free connection says so when its time is over", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 1000 }, {
    maxConnections: 1,
  });
  backend.ask({ client: "a" });
  backend.last.succeed("http/1.1");
  backend.advance(60_000); // Every other timer has rung.
  const waiting = backend.ask({ client: "b" });
  backend.clock.advance(999);
  assert.equal(failed([waiting]), 0);
  backend.clock.advance(1);
  assert.deepEqual(waiting.failure, {
    kind: "busy",
    reason: "every connection to the backend is in use",
  });
});

Deno.test("a request whose connection is still being opened when its time is over is late", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 1000 }, {
    maxConnections: 1,
  });
  const first = backend.ask({ client: "a" });
  backend.last.succeed("http/1.1");
  const waiting = backend.ask({ client: "b" });
  backend.clock.advance(600);
  first.breakOff();
  assert.equal(backend.attempts.length, 2);
  backend.clock.advance(400);
  assert.deepEqual(waiting.failure, {
    kind: "timeout",
    reason: "no connection to the backend in time",
  });
});

Deno.test("a request that waits for a backend to come back hears what the last attempt failed of", () => {
  const backend = new FakeBackend({ expects: "http/1.1", connectTimeoutMs: 100 });
  for (let i = 0; i < 8; i++) {
    backend.ask();
    backend.clock.advance(1000);
    if (backend.last.abandoned === undefined) backend.last.fail();
  }
  const waiting = backend.ask();
  backend.clock.advance(1000);
  assert.notEqual(waiting.failure?.kind, "busy");
});

Deno.test("cancel() lets a request of the same client that was beyond its share take the place", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 2 });
  const lined = backend.ask({ client: "a" });
  const parked = backend.ask({ client: "a" });
  assert.equal(backend.attempts.length, 1);
  backend.last.fail();
  assert.equal(failed([lined]), 1);
  assert.equal(failed([parked]), 0, "it was not opened for that one");
  assert.equal(backend.attempts.length, 2);
  const third = backend.ask({ client: "a" });
  backend.pool.cancel(parked);
  backend.last.succeed("http/1.1");
  assert.equal(served([third]), 1);
});

Deno.test("a client that is turned away is not remembered", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxWaiting: 2, maxConnections: 1 });
  const waiting = [backend.ask({ client: "a" }), backend.ask({ client: "b" })];
  assert.equal(backend.ask({ client: "c" }).failure?.kind, "busy");
  assert.equal(backend.pool.clients, 2);
  for (const waiter of waiting) backend.pool.cancel(waiter);
  assert.equal(backend.pool.clients, 0);
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

Deno.test("an end that was HTTP/1.1, ours, or another protocol's teaches nothing", () => {
  const backend = new FakeBackend();
  const first = backend.ask();
  backend.last.open("h2").end("http/1.1");
  backend.last.succeed("http/1.1").end("http/1.1");
  first.breakOff();
  const second = backend.ask();
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1").destroy("ours");
  second.breakOff();
  const third = backend.ask();
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1").end("nothing");
  third.breakOff();
  backend.ask();
  assert.equal(backend.last.offer, "h2", "but an end without a word does");
});

Deno.test("over TLS, connections that may become HTTP/2 count as such until they are not", () => {
  const backend = new FakeBackend({ overTls: true }, { maxH2Connections: 2, clientShare: 1 });
  const waiting = backend.askMany(5);
  backend.last.succeed("http/1.1");
  assert.equal(backend.attempts.length, 3, "two more at a time");
  for (let i = 1; i < 5; i++) backend.attempts[i]?.succeed("http/1.1");
  assert.equal(served(waiting), 5);
});

Deno.test("a tunnel's connection does not count among those of HTTP/2", () => {
  const backend = new FakeBackend({}, { maxH2Connections: 1, clientShare: 1 });
  backend.ask();
  backend.last.succeed("h2", 1);
  const tunnel = backend.ask({ client: "x", tunnel: true });
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1");
  assert.equal(served([tunnel]), 1);
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

Deno.test("isEmpty: a request that waits for a backend to come back is there", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  for (let i = 0; i < 3; i++) {
    backend.ask();
    backend.last.fail();
    backend.clock.advance(1000);
  }
  backend.ask();
  backend.last.fail();
  const waiting = backend.ask();
  assert.deepEqual([backend.pool.size, backend.pool.load.waiting], [0, 1]);
  assert.equal(backend.pool.isEmpty, false);
  backend.pool.cancel(waiting);
  assert.equal(backend.pool.isEmpty, true);
});

Deno.test("a retired pool says that the route has changed, so that another one is asked", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const waiting = backend.ask();
  backend.pool.retire();
  const failure = { kind: "busy", reason: "the route has changed", retired: true };
  assert.deepEqual([waiting.failure, backend.ask().failure], [failure, failure]);
});

Deno.test("a retired pool lets a connection that drains already end with its last request", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const waiter = backend.ask();
  const link = backend.last.succeed("h2");
  link.begin();
  link.draining = true;
  link.events.onDraining();
  backend.pool.retire();
  assert.equal(link.closed, false);
  waiter.finish();
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

Deno.test("a connection of ours that we end before it has greeted teaches nothing", () => {
  const backend = new FakeBackend();
  const affinity = {};
  const waiter = backend.ask({ affinity });
  backend.last.open("h2");
  backend.pool.cancel(waiter);
  backend.pool.forget(affinity);
  assert.equal(backend.pool.size, 0);
  backend.ask();
  assert.equal(backend.last.offer, "h2");
});

Deno.test("a tunnel's connection teaches nothing of other requests, and is given to none of them", () => {
  const backend = new FakeBackend();
  const tunnels = [backend.ask({ tunnel: true }), backend.ask({ tunnel: true })];
  assert.deepEqual(backend.attempts.map(({ offer }) => offer), ["http/1.1", "http/1.1"], "at once");
  for (const attempt of backend.attempts) attempt.succeed("http/1.1");
  assert.equal(served(tunnels), 2);
  tunnels[0]?.finish();
  const request = backend.ask();
  assert.equal(served([request]), 0);
  assert.deepEqual([backend.attempts.length, backend.last.offer], [3, "h2"]);
});

Deno.test("nobody who asks while others are served overtakes them", () => {
  for (const count of [2, 3]) assert.equal(orderOf(count), "123".slice(0, count));
});

/** In which order so many are served by one connection, of whom the first asks once more. */
function orderOf(count: number): string {
  const backend = new FakeBackend({ expects: "h2" });
  let order = "";
  const note = (name: string, onLease = () => {}) => {
    const waiter = new FakeWaiter();
    backend.pool.acquire({
      onLease(lease) {
        order += name;
        waiter.onLease(lease);
        onLease();
      },
      onUnavailable: (failure) => waiter.onUnavailable(failure),
    }, { client: "c", affinity: undefined, tunnel: false });
  };
  note("1", () => note("late"));
  for (let i = 2; i <= count; i++) note(String(i));
  backend.last.succeed("h2", count);
  return order;
}

Deno.test("nothing is opened for a client that has its share", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxH2Connections: 3 });
  const mine = backend.askMany(2);
  backend.last.succeed("h2", 1);
  assert.equal(backend.attempts.length, 2);
  backend.last.succeed("h2", 1);
  assert.equal(served(mine), 1, "two thirds would be too much");
  assert.equal(backend.attempts.length, 2);
});

Deno.test("cancel() has a connection opened for a request of another kind that it made room for", () => {
  const backend = new FakeBackend({}, { maxConnections: 2 });
  const lined = backend.ask();
  backend.ask({ tunnel: true });
  assert.equal(backend.attempts.length, 1);
  backend.pool.cancel(lined);
  assert.deepEqual([backend.attempts.length, backend.last.offer], [2, "http/1.1"]);
});

Deno.test("a request is in line once, however often its client gave something back", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 4 });
  const held = backend.askMany(2);
  for (const attempt of [...backend.attempts]) attempt.succeed("http/1.1");
  const later = [backend.ask()];
  assert.equal(backend.attempts.length, 2, "it is beyond the client's share");
  for (const waiter of held) waiter.breakOff();
  later.push(backend.ask());
  assert.equal(backend.attempts.length, 4, "one connection each");
  for (const attempt of backend.attempts.slice(2)) attempt.succeed("http/1.1");
  assert.equal(served(later), 2);
});

Deno.test("a request that stands in line since the protocol is known is not parked besides", () => {
  const limits = { maxH2Connections: 2, assumedStreams: 1, maxConnections: 4 };
  const backend = new FakeBackend({}, limits);
  const [first, second] = backend.askMany(2);
  assert.ok(first && second);
  backend.last.open("h2").end("http/1.1");
  assert.deepEqual(backend.attempts.map(({ offer }) => offer), ["h2", "http/1.1", "http/1.1"]);
  backend.attempts[1]?.succeed("http/1.1");
  first.finish();
  assert.equal(served([second]), 1);
  const third = backend.ask();
  backend.attempts[2]?.succeed("http/1.1");
  assert.equal(served([third]), 1);
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

Deno.test("a connection of HTTP/2 that takes no request for now rests all the same", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const waiter = backend.ask();
  const link = backend.last.succeed("h2");
  link.capacity = 0; // SETTINGS_MAX_CONCURRENT_STREAMS.
  waiter.finish();
  backend.advance(POOL_LIMITS.h2IdleMs + 1000);
  assert.equal(link.closed, true);
});

Deno.test("when the last attempt fails those who wait fail, unless a connection serves them later", () => {
  for (
    const [name, protocol, drains, lost] of [
      ["HTTP/1.1 in use", "http/1.1", false, 1],
      ["HTTP/1.1 that drains", "http/1.1", true, 3],
      ["HTTP/2 that drains", "h2", true, 3],
    ] as const
  ) {
    const backend = new FakeBackend({ expects: protocol }, {
      ...{ maxConnections: 2, clientShare: 1, assumedStreams: 1 },
    });
    backend.ask({ client: "holder" });
    const link = backend.last.succeed(protocol, 1);
    if (drains) {
      link.draining = true;
      link.events.onDraining();
    }
    const waiting = ["x", "y", "z"].map((client) => backend.ask({ client }));
    assert.equal(backend.attempts.length, 2, name);
    backend.last.fail();
    assert.equal(failed(waiting), lost, name);
  }
});

Deno.test("tunnels are not served by a connection of HTTP/2, and fail with their last attempt", () => {
  const backend = new FakeBackend({}, { maxConnections: 2, clientShare: 1 });
  backend.ask({ client: "holder" });
  backend.last.succeed("h2");
  const tunnels = ["x", "y"].map((client) => backend.ask({ client, tunnel: true }));
  assert.equal(backend.attempts.length, 2);
  backend.last.fail();
  assert.equal(failed(tunnels), 2);
});
