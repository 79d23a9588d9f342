import assert from "node:assert/strict";
import { FakeBackend, type FakeWaiter } from "../../support/fake_links.ts";

const served = (waiters: readonly FakeWaiter[]) => waiters.filter(({ lease }) => lease).length;

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
