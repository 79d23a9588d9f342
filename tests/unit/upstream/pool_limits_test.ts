import assert from "node:assert/strict";
import { FakeBackend, type FakeWaiter } from "../../support/fake_links.ts";

const served = (waiters: readonly FakeWaiter[]) => waiters.filter(({ lease }) => lease).length;
const failed = (waiters: readonly FakeWaiter[]) => waiters.filter(({ failure }) => failure).length;

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
