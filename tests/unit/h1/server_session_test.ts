import assert from "node:assert/strict";
import { H1_EDGE_LIMITS, H1StateError } from "../../../lib/h1/mod.ts";
import { FieldError } from "../../../lib/http/mod.ts";
import { octets, TestServer } from "../../support/h1_pair.ts";
import { asked, request } from "../../support/h1_requests.ts";

const UPGRADE = request(
  "/ws",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: k",
);

/** A server whose owner answers each request with its path, at once. */
function echoing(): TestServer {
  const server = new TestServer();
  server.request = ({ stream, head }) => {
    stream.respond({ status: 200, fields: ["x-path", head?.path ?? ""] });
    stream.sendData(octets("ok"), true);
  };
  return server;
}

Deno.test("requests sent ahead run one after the other, in their order", () => {
  const server = new TestServer();
  const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
  server.receive(paths.map((path) => request(path)).join(""));
  for (const [i, path] of paths.entries()) {
    assert.equal(server.requests.length, i + 1, "the next one waits for the answer");
    assert.equal(server.session.congested, i + 1 < paths.length, "and is not read further");
    assert.equal(server.requests[i]?.head?.path, path);
    server.requests[i]?.stream.respond({ status: 200, fields: ["content-length", "0"] }, true);
    server.flush();
  }
  assert.equal(server.open, true);
});

Deno.test("no request is parsed inside the call that ends the answer before it", () => {
  const server = new TestServer();
  server.receive(request("/1") + request("/2"));
  server.requests[0]?.stream.respond({ status: 204, fields: [] }, true);
  assert.equal(server.requests.length, 1);
  server.session.takeOutput();
  server.session.resume(0);
  assert.equal(server.requests.length, 2);
});

Deno.test("octets given while others wait are not lost", () => {
  const server = echoing();
  const whole = octets(request("/1") + request("/2") + request("/3"));
  const late: (() => void)[] = [];
  server.request = ({ stream }) => {
    late.push(() => stream.respond({ status: 204, fields: [] }, true));
  };
  for (const octet of whole) server.receive(Uint8Array.of(octet));
  for (let i = 0; i < 3; i++) {
    late[i]?.();
    server.flush();
  }
  assert.deepEqual(server.requests.map(({ head }) => head?.path), ["/1", "/2", "/3"]);
});

Deno.test("nothing behind an answer that ends the connection is parsed", () => {
  const server = echoing();
  server.receive(request("/1", "Connection: close") + request("/2"));
  server.receive(request("/3"));
  assert.match(server.flush(), /connection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n$/);
  assert.deepEqual(server.requests.map(({ head }) => head?.path), ["/1"]);
  assert.deepEqual([server.closed?.by, server.closed?.abrupt], ["owner", false]);
});

Deno.test("what was answered before an error still goes out before its answer", () => {
  const server = echoing();
  server.receive(`${request("/1")}${request("/2")}broken\r\n\r\n${request("/3")}`);
  const answer = server.flush();
  assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), [
    "HTTP/1.1 200",
    "HTTP/1.1 200",
    "HTTP/1.1 400",
  ]);
  assert.equal(server.requests.length, 2);
});

Deno.test("a client that does not read its answers gets no more requests run", () => {
  const server = new TestServer({ ...H1_EDGE_LIMITS, sendBuffer: 1000 });
  server.request = ({ stream }) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(new Uint8Array(400), true);
  };
  server.receive(request("/").repeat(100));
  for (let i = 0; i < 100; i++) server.session.resume(0);
  assert.equal(server.requests.length, 3);
  assert.deepEqual([server.session.congested, server.session.waiting], [true, false]);
  server.flush();
  assert.equal(server.requests.length, 100);
});

Deno.test("a 101 opens the tunnel, and only then octets flow through it", () => {
  const { server, stream, seen } = asked(`${UPGRADE}early`);
  assert.equal(seen.body, "");
  assert.equal(server.session.congested, true);
  stream.respond({ status: 101, fields: ["sec-websocket-accept", "a", "content-length", "0"] });
  assert.equal(
    server.flush(),
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
      "sec-websocket-accept: a\r\n\r\n",
  );
  assert.equal(seen.body, "early");
  server.receive(request("/not-http"));
  assert.equal(seen.body, `early${request("/not-http")}`);
  stream.sendData(octets("back"));
  assert.equal(server.flush(), "back");
  server.session.receiveEnd(1);
  assert.equal(seen.ended, true);
  assert.equal(seen.body, `early${request("/not-http")}`, "an end has no octets");
  assert.equal(server.open, true, "the backend has not ended");
  stream.sendData(octets("bye"), true);
  assert.equal(server.flush(), "bye");
  assert.equal(server.closed?.by, "owner");
  assert.equal(server.requests.length, 1);
});

Deno.test("a tunnel whose backend has ended goes on for the client, until that ends too", () => {
  const { server, stream, seen } = asked(UPGRADE);
  stream.respond({ status: 101, fields: [] });
  stream.sendData(octets("bye"), true);
  assert.match(server.flush(), /\r\n\r\nbye$/);
  assert.equal(server.open, true, "the client has not ended");
  server.receive("still here");
  assert.equal(seen.body, "still here");
  server.session.receiveEnd(1);
  assert.deepEqual([seen.ended, server.open], [true, false]);
});

Deno.test("a refused upgrade is answered, and nothing behind it is read", () => {
  const { server, stream, seen } = asked(`${UPGRADE}${request("/hidden")}`);
  stream.respond({ status: 403, fields: ["content-length", "2"] });
  stream.sendData(octets("no"), true);
  assert.match(
    server.flush(),
    /^HTTP\/1\.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno$/,
  );
  assert.deepEqual([seen.body, server.requests.length, server.closed?.by], ["", 1, "owner"]);
});

Deno.test("heads and idling have deadlines", () => {
  const { headerTimeoutMs: head, idleTimeoutMs: idle } = H1_EDGE_LIMITS;
  const silent = new TestServer();
  silent.session.tick(head - 1);
  assert.equal(silent.open, true);
  silent.session.tick(head);
  assert.deepEqual([silent.closed?.by, silent.flush()], ["deadline", ""]);

  const slow = new TestServer();
  slow.now = head - 1;
  slow.receive("GET / HTTP/1.1\r\nHost:");
  slow.session.tick(head - 1);
  assert.equal(slow.open, true);
  slow.session.tick(head);
  assert.match(slow.flush(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.equal(slow.closed?.by, "deadline");

  for (const begun of [false, true]) {
    const kept = echoing();
    kept.now = 1000;
    kept.receive(request("/"));
    kept.flush();
    const limit = begun ? head : idle;
    kept.now = begun ? 5000 : 1000;
    if (begun) kept.receive("G");
    kept.session.tick(kept.now + limit - 1);
    assert.equal(kept.open, true);
    kept.session.tick(kept.now + limit);
    assert.equal(kept.closed?.by, "deadline");
    assert.equal(kept.flush().startsWith("HTTP/1.1 408"), begun);
  }

  const busy = asked(request("/"));
  busy.server.session.tick(1e9);
  assert.equal(busy.server.open, true, "an answer's deadline is the owner's");
});

Deno.test("a client that closes its side before it was answered has left", () => {
  const { server, seen } = asked(request("/1") + request("/2"));
  server.session.receiveEnd(1);
  assert.deepEqual([seen.reset?.by, server.closed?.by], ["lost", "peer"]);
  assert.equal(server.requests.length, 1);

  const answered = echoing();
  answered.receive(request("/"));
  answered.session.receiveEnd(1);
  assert.match(answered.flush(), /^HTTP\/1\.1 200 /, "what was answered goes out");
  assert.deepEqual([answered.closed?.by, answered.closed?.abrupt], ["peer", false]);

  const partial = new TestServer();
  partial.receive("GET /");
  partial.session.receiveEnd(1);
  assert.deepEqual([partial.closed?.by, partial.flush()], ["peer", ""]);
});

Deno.test("requests that are answered at once still take turns", () => {
  const server = echoing();
  server.receive(request("/").repeat(3));
  assert.equal(server.requests.length, 1);
  assert.equal(server.session.waiting, true);
  server.session.resume(0);
  assert.equal(server.requests.length, 2);
});

Deno.test("shutdown() lets the open request be answered, and no other begin", () => {
  const { server, stream } = asked(request("/1") + request("/2"));
  server.session.shutdown();
  assert.equal(server.open, true);
  stream.respond({ status: 204, fields: [] }, true);
  assert.equal(server.flush(), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
  assert.deepEqual([server.requests.length, server.closed?.by], [1, "owner"]);
  const idle = new TestServer();
  idle.session.shutdown();
  assert.equal(idle.closed?.by, "owner");
});

Deno.test("abort() tells the owner, and calls on what is over do nothing", () => {
  const { server, stream, seen } = asked(request("/"));
  server.session.abort("lost");
  assert.deepEqual(seen.reset, { by: "lost", reason: "lost", untouched: false });
  stream.respond({ status: 200, fields: [] });
  assert.equal(stream.sendData(octets("x")), true);
  stream.sendTrailers([]);
  stream.consume(1);
  stream.reset();
  assert.equal(server.flush(), "");
  assert.equal(server.open, true, "the owner knows");
});

Deno.test("sendData() asks for a pause at the limit, and onDrain() comes when it was taken", () => {
  const { server, stream, seen } = asked(request("/"));
  stream.respond({ status: 200, fields: ["content-length", "200000"] });
  server.flush();
  assert.equal(stream.sendData(new Uint8Array(H1_EDGE_LIMITS.sendBuffer - 1)), true);
  assert.equal(stream.sendData(new Uint8Array(1)), false);
  assert.equal(seen.drains, 0);
  server.flush();
  assert.equal(seen.drains, 1);
});

Deno.test("calls out of order throw, fields that cannot be sent leave nothing behind", () => {
  const { server, stream } = asked(request("/"));
  assert.throws(() => stream.sendData(octets("x")), H1StateError);
  assert.throws(() => stream.sendTrailers([]), H1StateError);
  for (const fields of [["X-A", "1"], ["x a", "1"], ["x", "a\r\nb: c"], ["x", "\0"], ["", "1"]]) {
    assert.throws(() => stream.respond({ status: 200, fields }), FieldError);
  }
  assert.equal(server.flush(), "");
  stream.respond({ status: 200, fields: [] });
  assert.throws(() => stream.respond({ status: 200, fields: [] }), H1StateError);
  assert.throws(() => stream.sendTrailers(["x", "a\nb"]), FieldError);
});
