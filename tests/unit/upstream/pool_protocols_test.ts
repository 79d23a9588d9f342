/** What connections that speak HTTP/2, or may, mean for those who wait. */
import assert from "node:assert/strict";
import { POOL_LIMITS } from "../../../lib/upstream/mod.ts";
import { FakeBackend } from "../../support/fake_links.ts";
import { failed, served } from "../../support/pool_counts.ts";

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
