/** Requests that wait for a connection, in their order and within their share. */
import assert from "node:assert/strict";
import { FakeBackend, FakeWaiter } from "../../support/fake_links.ts";
import { failed, served } from "../../support/pool_counts.ts";

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
