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

Deno.test("auto: one request opens one connection, however late the greeting is", () => {
  const backend = new FakeBackend();
  const waiter = backend.ask();
  const link = backend.last.open("h2");
  backend.advance(300);
  const more = backend.askMany(99);
  assert.equal(backend.attempts.length, 1);
  link.greet();
  assert.equal(served([waiter, ...more]), 100);
  assert.equal(backend.attempts.length, 1);
});

Deno.test("a greeting connection has room for assumedStreams requests, and no more", () => {
  const backend = new FakeBackend({ expects: "h2" }, { assumedStreams: 10 });
  backend.askMany(10);
  assert.equal(backend.attempts.length, 1);
  backend.ask();
  assert.equal(backend.attempts.length, 2);
  const link = backend.attempts[0]?.open("h2");
  backend.askMany(9);
  assert.equal(backend.attempts.length, 2);
  link?.greet();
  assert.equal(backend.pool.load.active, 20);
});

Deno.test("auto: an answer in HTTP/1.1 to the greeting costs one more connection, once", () => {
  const backend = new FakeBackend();
  const waiter = backend.ask();
  assert.equal(backend.last.offer, "h2");
  backend.last.open("h2").end("http/1.1");
  assert.equal(backend.attempts.length, 2, "without a pause");
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1");
  assert.ok(waiter.lease);
  backend.ask();
  assert.equal(backend.last.offer, "http/1.1");
  assert.equal(backend.attempts.length, 3);
});

Deno.test("auto: a backend that does not greet in detectMs is asked in HTTP/1.1", () => {
  const backend = new FakeBackend({ connectTimeoutMs: 10_000 });
  const waiter = backend.ask();
  const link = backend.last.open("h2");
  backend.advance(1999);
  assert.equal(link.closed, false);
  backend.advance(1);
  assert.equal(link.closed, true);
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1");
  assert.ok(waiter.lease);
});

Deno.test("auto: half of connectTimeoutMs is left for HTTP/1.1 when that is less than detectMs", () => {
  const backend = new FakeBackend({ connectTimeoutMs: 1000 });
  backend.ask();
  const link = backend.last.open("h2");
  backend.advance(499);
  assert.equal(link.closed, false);
  backend.advance(1);
  assert.equal(link.closed, true);
});

Deno.test("auto: many requests find out together what the backend speaks, and then open their own", () => {
  const backend = new FakeBackend();
  const waiters = backend.askMany(150);
  assert.equal(backend.attempts.length, 1);
  backend.onAttempt = (attempt) => attempt.succeed("http/1.1");
  backend.last.open("h2").end("http/1.1");
  backend.advance(1);
  assert.equal(served(waiters), 150);
  assert.equal(backend.attempts.length, 151);
});

Deno.test("over TLS the handshake tells: HTTP/1.1 is used on the connection that found it", () => {
  const backend = new FakeBackend({ overTls: true });
  const waiters = backend.askMany(3);
  assert.deepEqual(backend.attempts.map(({ offer }) => offer), ["auto"]);
  backend.last.succeed("http/1.1");
  assert.equal(served(waiters), 1);
  assert.deepEqual(backend.attempts.map(({ offer }) => offer), ["auto", "auto", "auto"]);
});

for (const expects of ["h2", "auto"] as const) {
  Deno.test(`${expects}: a backend that closes after each handshake costs a request 3 connections`, () => {
    const backend = new FakeBackend({ expects });
    backend.onAttempt = (attempt) => {
      attempt.open(attempt.offer === "http/1.1" ? "http/1.1" : "h2").end();
    };
    const waiters = [backend.ask()];
    for (let ms = 0; ms < 1000; ms += 10) backend.advance(10);
    assert.ok(backend.attempts.length <= 3, `${backend.attempts.length} connections`);
    assert.ok(waiters[0]?.failure ?? waiters[0]?.lease);
  });
}

Deno.test("pauses between failed greetings grow to a second, and end with a success", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxAttempts: 100 });
  backend.onAttempt = (attempt) => attempt.open("h2").end();
  backend.ask();
  const counts = [100, 1000, 2000, 3000].map((ms) => {
    backend.advance(ms - backend.clock.now());
    return backend.attempts.length;
  });
  // 0, 0, 50, 150, 350, 750, 1550, 2550 ms
  assert.deepEqual(counts, [3, 6, 7, 8]);
  backend.onAttempt = (attempt) => attempt.succeed("h2");
  backend.advance(1000);
  assert.equal(backend.pool.load.failures, 0);
  assert.equal(backend.pool.load.active, 1);
});

Deno.test("a backend that changed from h2c to HTTP/1.1 costs its next request at most 3 connections", () => {
  const backend = new FakeBackend();
  backend.ask();
  const old = backend.last.succeed("h2");
  old.end("other");
  // Now an HTTP/1.1 server is there: it closes without a word at first, then says what it is.
  const waiter = backend.ask();
  assert.equal(backend.last.offer, "h2");
  backend.last.open("h2").end("nothing");
  assert.equal(backend.last.offer, "h2", "what it spoke is forgotten, not reversed");
  backend.last.open("h2").end("http/1.1");
  assert.equal(backend.last.offer, "http/1.1");
  backend.last.succeed("http/1.1");
  assert.ok(waiter.lease);
  assert.equal(backend.attempts.length, 4);
});

Deno.test("a backend that changed from HTTP/1.1 to h2c is found out after one answer that is none", () => {
  const backend = new FakeBackend();
  const first = backend.ask();
  backend.last.open("h2").end("http/1.1");
  const link = backend.last.succeed("http/1.1");
  link.end("other");
  first.breakOff();
  backend.ask();
  assert.equal(backend.last.offer, "h2");
});

Deno.test("a request that we break off says nothing about what the backend speaks", () => {
  const backend = new FakeBackend();
  const first = backend.ask();
  backend.last.open("h2").end("http/1.1");
  backend.last.succeed("http/1.1");
  first.breakOff();
  assert.equal(backend.pool.size, 0);
  backend.ask();
  assert.equal(backend.last.offer, "http/1.1");
});

Deno.test("a refused connection fails whom it was opened for at once, and nobody else", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  const waiters = backend.askMany(3);
  backend.attempts[1]?.fail();
  assert.deepEqual(waiters.map(({ failure }) => failure?.kind), [
    "unreachable",
    undefined,
    undefined,
  ]);
  backend.attempts[0]?.succeed("http/1.1");
  backend.attempts[2]?.fail();
  assert.equal(waiters[1]?.failure, undefined);
  assert.equal(waiters[2]?.failure?.kind, "unreachable");
  assert.equal(backend.attempts.length, 3, "failures dial nothing");
});

Deno.test("a refused connection fails all requests that wait when there is no other", () => {
  const backend = new FakeBackend({ expects: "h2" });
  const waiters = backend.askMany(50);
  backend.last.fail();
  assert.equal(failed(waiters), 50);
  assert.equal(backend.attempts.length, 1);
});

Deno.test("after two failures one connection at a time finds out whether the backend is back", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  for (let i = 0; i < 2; i++) {
    backend.ask();
    backend.last.fail();
  }
  const waiters = backend.askMany(20);
  assert.equal(backend.attempts.length, 2, "it pauses");
  backend.advance(50);
  assert.equal(backend.attempts.length, 3);
  backend.last.succeed("http/1.1");
  assert.equal(served(waiters), 1);
  assert.equal(backend.attempts.length, 22);
});

Deno.test("failures of attempts that were under way together count as one", () => {
  const backend = new FakeBackend({ expects: "http/1.1" });
  backend.askMany(20);
  backend.advance(1);
  for (const attempt of backend.attempts) attempt.fail();
  assert.equal(backend.pool.load.failures, 1);
});

Deno.test("maxConnections counts connections being opened, and holds", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 8, clientShare: 1 });
  const waiters = backend.askMany(20);
  assert.equal(backend.attempts.length, 8);
  for (const attempt of backend.attempts.slice(0, 4)) attempt.succeed("http/1.1");
  assert.equal(backend.attempts.length, 8);
  for (const attempt of backend.attempts.slice(4)) attempt.succeed("http/1.1");
  assert.equal(served(waiters), 8);
  assert.equal(backend.pool.size, 8);
  waiters[0]?.finish();
  assert.equal(served(waiters), 9);
  waiters[1]?.breakOff();
  assert.equal(backend.attempts.length, 9, "a closed one may be replaced");
  assert.equal(backend.pool.size, 8);
});

Deno.test("maxH2Connections holds, whatever the greeting takes", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxH2Connections: 3, clientShare: 1 });
  backend.onAttempt = (attempt) => attempt.succeed("h2", 1);
  const waiters = backend.askMany(400);
  assert.equal(backend.attempts.length, 3);
  backend.advance(1);
  assert.equal(backend.attempts.length, 3);
  assert.equal(served(waiters), 3);
  waiters[0]?.finish();
  assert.equal(served(waiters), 4);
});

Deno.test("connections that drain make room for new ones, and still count", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxH2Connections: 1, maxConnections: 2 });
  const first = backend.ask();
  const link = backend.last.succeed("h2");
  link.draining = true;
  link.events.onDraining();
  backend.ask();
  const second = backend.last.succeed("h2");
  assert.notEqual(second, link);
  second.draining = true;
  second.events.onDraining();
  const third = backend.ask();
  assert.equal(backend.attempts.length, 2);
  first.finish();
  assert.equal(backend.attempts.length, 3);
  backend.last.succeed("h2");
  assert.ok(third.lease);
});

Deno.test("one client cannot take the pool, and gets what it waited for when it gives back", () => {
  const backend = new FakeBackend({ expects: "http/1.1" }, { maxConnections: 8 });
  const greedy = backend.askMany(20, { client: "greedy" });
  assert.equal(backend.attempts.length, 4);
  for (const attempt of [...backend.attempts]) attempt.succeed("http/1.1");
  assert.equal(served(greedy), 4);
  const other = backend.ask({ client: "other" });
  backend.last.succeed("http/1.1");
  assert.ok(other.lease);
  greedy[0]?.finish();
  assert.equal(served(greedy), 5);
  other.finish();
  assert.equal(served(greedy), 5, "what others give back is not for it");
});

Deno.test("a client's share counts streams where the backend speaks HTTP/2", () => {
  const backend = new FakeBackend({ expects: "h2" }, { maxH2Connections: 2, assumedStreams: 4 });
  backend.onAttempt = (attempt) => attempt.succeed("h2", 4);
  const greedy = backend.askMany(20, { client: "greedy" });
  backend.advance(1);
  assert.equal(served(greedy), 4);
  const others = backend.askMany(4, { client: "other" });
  backend.advance(1);
  assert.equal(served(others), 4);
});

Deno.test("a client's share is cut anew when the backend turns out to speak HTTP/1.1", () => {
  const backend = new FakeBackend({ overTls: true }, { maxConnections: 8 });
  backend.onAttempt = (attempt) => attempt.succeed("http/1.1");
  const greedy = backend.askMany(20, { client: "greedy" });
  backend.advance(1);
  assert.equal(served(greedy), 4);
  assert.equal(backend.attempts.length, 4, "nothing is dialled for what may not be used");
});

Deno.test("a request waits connectTimeoutMs, no longer, whatever it waits for", () => {
  const backend = new FakeBackend(
    { expects: "http/1.1", connectTimeoutMs: 2000 },
    { maxConnections: 1, clientShare: 1 },
  );
  const first = backend.ask();
  const black = backend.ask({ client: "b" });
  backend.clock.advance(1999);
  assert.equal(failed([first]), 0);
  backend.clock.advance(1);
  assert.equal(first.failure?.kind, "timeout");
  assert.match(backend.attempts[0]?.abandoned ?? "", /2000 ms/);
  assert.ok(black.failure);
  assert.equal(backend.attempts.length, 1, "a black hole is dialled once");

  const holder = backend.ask();
  backend.clock.advance(1000);
  backend.last.succeed("http/1.1");
  const waiting = backend.ask();
  backend.clock.advance(1999);
  assert.equal(failed([waiting]), 0);
  backend.clock.advance(1);
  assert.equal(waiting.failure?.kind, "busy");
  holder.finish();
  assert.equal(backend.pool.load.waiting, 0);
});

Deno.test("a backend that greets too late costs the request its time, and one connection", () => {
  const backend = new FakeBackend({ expects: "h2", connectTimeoutMs: 2000 });
  const waiter = backend.ask();
  const link = backend.last.open("h2");
  backend.clock.advance(1999);
  assert.equal(link.closed, false);
  backend.clock.advance(1);
  assert.equal(link.closed, true);
  assert.equal(waiter.failure?.kind, "timeout");
  assert.equal(backend.pool.size, 0);
});

Deno.test("maxWaiting is the most that wait, half of it for one client", () => {
  const backend = new FakeBackend(
    { expects: "http/1.1" },
    { maxWaiting: 8, maxConnections: 1, clientShare: 1 },
  );
  const one = backend.askMany(5, { client: "one" });
  assert.equal(failed(one), 1);
  assert.equal(one[4]?.failure?.kind, "busy");
  const two = backend.askMany(4, { client: "two" });
  assert.equal(failed(two), 0);
  assert.equal(failed([backend.ask({ client: "three" })]), 1);
  backend.pool.cancel(one[0] as FakeWaiter);
  assert.equal(failed([backend.ask({ client: "three" })]), 0);
  backend.pool.destroy("over");
  assert.equal(backend.pool.clients, 0, "no client is remembered");
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
