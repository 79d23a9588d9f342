import assert from "node:assert/strict";
import { FakeBackend, type FakeWaiter } from "../../support/fake_links.ts";

const served = (waiters: readonly FakeWaiter[]) => waiters.filter(({ lease }) => lease).length;
const failed = (waiters: readonly FakeWaiter[]) => waiters.filter(({ failure }) => failure).length;

Deno.test("acquire() passes connecting, greeting, ready, draining and closed in this order", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const waiter = backend.ask();
  const states = () => backend.pool.load.connections;
  assert.deepEqual(states(), { connecting: 1, greeting: 0, ready: 0, draining: 0 });
  const link = backend.last.open("h2");
  assert.deepEqual(states(), { connecting: 0, greeting: 1, ready: 0, draining: 0 });
  assert.equal(served([waiter]), 0, "nothing is sent before the greeting");
  link.greet();
  assert.deepEqual(states(), { connecting: 0, greeting: 0, ready: 1, draining: 0 });
  assert.equal(waiter.lease?.link, link);
  link.draining = true;
  link.events.onDraining();
  assert.deepEqual(states(), { connecting: 0, greeting: 0, ready: 0, draining: 1 });
  waiter.finish();
  assert.deepEqual(states(), { connecting: 0, greeting: 0, ready: 0, draining: 0 });
  assert.equal(backend.pool.size, 0);
  assert.equal(backend.pool.clients, 0);
});

Deno.test("release() of an unfinished request on HTTP/1.1 closes its connection, 512 times too", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  backend.onAttempt = (attempt) => attempt.succeed("http/1.1");
  for (let round = 0; round < 3; round++) {
    const waiters = backend.askMany(256);
    backend.advance(1);
    assert.equal(served(waiters), 256);
    for (const waiter of waiters) waiter.breakOff();
    assert.equal(backend.pool.size, 0, "no connection is kept");
    assert.equal(backend.pool.load.active, 0);
  }
  const other = backend.ask({ client: "other" });
  backend.advance(1);
  assert.ok(other.lease);
});

Deno.test("release() of a finished request keeps the connection, and the next one uses it", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const first = backend.ask();
  const link = backend.last.succeed("http/1.1");
  first.finish();
  const second = backend.ask();
  assert.equal(second.lease?.link, link);
  assert.equal(backend.attempts.length, 1);
  second.finish();
  second.finish = () => {};
  second.lease?.release();
  assert.equal(backend.pool.load.active, 0, "a second release() does nothing");
});

Deno.test("a connection of HTTP/1.1 that is not available at release() comes back when it says so", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const first = backend.ask();
  const link = backend.last.succeed("http/1.1");
  link.settled = true;
  first.lease?.release(); // Settled, but the read that completed it goes on.
  const second = backend.ask();
  assert.equal(served([second]), 0);
  link.requests = 0;
  link.events.onAvailable();
  assert.equal(second.lease?.link, link);
});

Deno.test("cancel() takes a request out, and nothing is opened for it any more", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxAttempts: 2 });
  const waiter = backend.ask();
  backend.pool.cancel(waiter);
  backend.last.open("h2").end();
  assert.equal(backend.attempts.length, 1);
  assert.deepEqual([waiter.lease, waiter.failure], [undefined, undefined]);
  assert.equal(backend.pool.clients, 0);
});

Deno.test("idle connections of HTTP/1.1 are closed after idleMs and never used after that", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const first = backend.ask();
  const link = backend.last.succeed("http/1.1");
  first.finish();
  backend.clock.advance(3999);
  backend.pool.tick(backend.clock.now());
  assert.equal(link.closed, false);
  backend.clock.advance(1);
  const late = backend.ask(); // Before anybody ticked.
  assert.equal(link.closed, true);
  assert.equal(late.lease, undefined);
  assert.equal(backend.attempts.length, 2);
});

Deno.test("tick() closes idle connections of HTTP/2 after h2IdleMs, not busy ones", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const waiter = backend.ask();
  const link = backend.last.succeed("h2");
  backend.advance(100_000);
  assert.equal(link.closed, false);
  waiter.finish();
  backend.advance(89_000);
  assert.equal(link.closed, false);
  backend.advance(1000);
  assert.equal(link.closed, true);
  assert.ok(link.ticks > 100);
});

Deno.test("maxIdle connections of HTTP/1.1 are kept, and the last one used is used again", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxIdle: 2 });
  const waiters = backend.askMany(3);
  const links = backend.attempts.map((attempt) => attempt.succeed("http/1.1"));
  for (const waiter of waiters) waiter.finish();
  assert.deepEqual(links.map(({ closed }) => closed), [false, false, true]);
  assert.equal(backend.ask().lease?.link, links[1]);
});

Deno.test("a tunnel goes over HTTP/1.1 unless the backend speaks HTTP/2 only", () => {
  const auto = new FakeBackend();
  auto.ask();
  auto.last.succeed("h2");
  const tunnel = auto.ask({ tunnel: true });
  assert.equal(auto.last.offer, "http/1.1");
  auto.last.succeed("http/1.1");
  assert.equal(tunnel.lease?.link.protocol, "http/1.1");
  tunnel.finish(); // Refused: the connection is free, for tunnels.
  assert.equal(auto.ask().lease?.link.protocol, "h2");
  assert.equal(auto.ask({ tunnel: true }).lease?.link.protocol, "http/1.1");
  const fixed = new FakeBackend({ expects: "h2" });
  fixed.ask({ tunnel: true });
  assert.equal(fixed.last.offer, "h2");
});

Deno.test("connections with an affinity are for its requests only, and make room for others", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 2, clientShare: 1 });
  const [one, two, three] = [{}, {}, {}];
  const first = backend.ask({ affinity: one });
  const firstLink = backend.last.succeed("http/1.1");
  first.finish();
  const second = backend.ask({ affinity: two });
  assert.equal(second.lease, undefined);
  assert.equal(backend.last.affinity, two);
  backend.last.succeed("http/1.1");
  assert.ok(second.lease);
  const third = backend.ask({ affinity: three });
  assert.equal(firstLink.closed, true, "idle, and in the way");
  backend.last.succeed("http/1.1");
  assert.ok(third.lease);
  assert.equal(backend.pool.size, 2);
  second.breakOff();
  backend.pool.forget(two);
  third.finish();
  backend.pool.forget(three);
  assert.equal(backend.pool.size, 0);
});

Deno.test("retire() ends idle connections now, busy ones with their last request, and opens none", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const busy = backend.ask();
  const busyLink = backend.last.succeed("http/1.1");
  const idle = backend.ask();
  const idleLink = backend.last.succeed("http/1.1");
  const waiting = backend.ask({ affinity: {} });
  idle.finish();
  backend.pool.retire();
  assert.equal(idleLink.closed, true);
  assert.equal(busyLink.closed, false);
  assert.equal(waiting.failure?.kind, "busy");
  assert.equal(backend.last.abandoned, "not needed");
  assert.equal(backend.ask().failure?.kind, "busy");
  busy.finish();
  assert.equal(busyLink.closed, true);
  assert.equal(backend.pool.size, 0);
  assert.equal(backend.clock.pending, 0, "no timer is left");
});

Deno.test("destroy() ends everything at once and leaves no timer", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const waiters = backend.askMany(3);
  const link = backend.attempts[0]?.succeed("http/1.1");
  backend.pool.destroy("shutdown");
  assert.equal(link?.closed, true);
  assert.equal(failed(waiters), 2);
  assert.deepEqual(backend.attempts.slice(1).map(({ abandoned }) => abandoned), [
    "shutdown",
    "shutdown",
  ]);
  assert.equal(backend.pool.size, 0);
  assert.equal(backend.clock.pending, 0);
  // An attempt that succeeds all the same is closed.
  assert.equal(backend.attempts[1]?.open("http/1.1").closed, true);
});

Deno.test("a connection that ends under its request gives its place back at once", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 1, clientShare: 1 });
  const first = backend.ask();
  const second = backend.ask({ client: "d" });
  backend.last.succeed("http/1.1").end("http/1.1");
  assert.equal(backend.attempts.length, 2);
  backend.last.succeed("http/1.1");
  assert.ok(second.lease);
  first.breakOff(); // Its exchange notices later.
  assert.equal(backend.pool.load.active, 1);
});
