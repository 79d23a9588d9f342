/**
 * What becomes of a client's connection when messages end early, late or never.
 *
 * @module
 */
import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../../lib/h1/mod.ts";
import { octets, TestServer } from "../../support/h1_pair.ts";

const request = (path: string, ...fields: string[]) =>
  [`GET ${path} HTTP/1.1`, "Host: a.test", ...fields, "", ""].join("\r\n");
const post = (...fields: string[]) =>
  ["POST /p HTTP/1.1", "Host: a.test", ...fields, "", ""].join("\r\n");
const UPGRADE = request("/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k");

/** The first request of a fresh server, unanswered. */
function asked(head: string, limits = H1_EDGE_LIMITS) {
  const server = new TestServer(limits);
  server.receive(head);
  const [seen] = server.requests;
  assert.ok(seen !== undefined);
  return { server, stream: seen.stream, seen, session: server.session };
}

Deno.test("a session is busy while a request is answered, and closed after its end", () => {
  const { session, stream } = asked(request("/"));
  assert.deepEqual([session.busy, session.closed], [true, false]);
  stream.respond({ status: 204, fields: [] }, true);
  assert.deepEqual([session.busy, session.closed], [false, false]);
  session.abort("lost");
  assert.equal(session.closed, true);
});

Deno.test("a closed session reads nothing, waits for nothing and is not congested", () => {
  const { server, session } = asked(request("/1") + request("/2"));
  assert.equal(session.congested, true);
  session.abort("lost");
  assert.deepEqual([session.congested, session.waiting], [false, false]);
  server.receive(request("/3"));
  session.receiveEnd(1);
  session.tick(1e9);
  session.shutdown();
  assert.deepEqual([server.requests.length, server.closed, server.flush()], [1, undefined, ""]);
});

Deno.test("nothing received is nothing", () => {
  const server = new TestServer();
  server.receive("");
  server.session.tick(H1_EDGE_LIMITS.headerTimeoutMs);
  assert.deepEqual([server.closed?.reason, server.flush()], ["idle", ""], "no head has begun");
});

Deno.test("a client that leaves says where it was", () => {
  const before = new TestServer();
  before.session.receiveEnd(1);
  assert.equal(before.closed?.reason, "the client closed the connection");
  const { server, seen, session } = asked(request("/"));
  session.receiveEnd(1);
  const reason = "the client left before it was answered";
  assert.deepEqual(seen.reset, { by: "lost", reason, untouched: false });
  assert.deepEqual([server.closed?.reason, seen.stream.closed], [reason, true]);
});

Deno.test("a response that nobody reads stops requests, not the upload beside it", () => {
  const limits = { ...H1_EDGE_LIMITS, sendBuffer: 100 };
  const upload = asked(post("Content-Length: 5"), limits);
  upload.stream.respond({ status: 200, fields: [] });
  upload.stream.sendData(new Uint8Array(200));
  assert.equal(upload.session.congested, false, "the client may read only afterwards");
  upload.server.receive("hello");
  assert.equal(upload.session.congested, true, "the upload has ended");
  upload.server.flush();
  assert.equal(upload.session.congested, false);

  const { server, stream, session } = asked(request("/1"), limits);
  stream.respond({ status: 200, fields: [] });
  stream.sendData(new Uint8Array(200), true);
  assert.deepEqual([session.busy, session.congested], [false, true]);
  server.receive(request("/2"));
  assert.deepEqual([server.requests.length, session.waiting], [1, false]);
  session.resume(1);
  assert.equal(server.requests.length, 1);
  server.flush();
  assert.equal(server.requests.length, 2);
});

Deno.test("a pause that was asked for ends once, and not after the request was given up", () => {
  const half = new Uint8Array(H1_EDGE_LIMITS.sendBuffer / 2);
  const { server, stream, seen } = asked(request("/"));
  stream.respond({ status: 200, fields: [] });
  stream.sendData(half);
  assert.equal(stream.sendData(half), false);
  server.flush();
  server.flush();
  assert.equal(seen.drains, 1);
  stream.sendData(half);
  assert.equal(stream.sendData(half), false);
  stream.reset();
  server.flush();
  assert.equal(seen.drains, 1);
});

Deno.test("octets that wait are kept whole, whether few or many of their piece are left", () => {
  for (const [before, behind] of [["x".repeat(2000), ""], ["", "x".repeat(2000)]]) {
    const server = new TestServer();
    server.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
    const piece = octets(request(`/${before}`) + request(`/${behind}`) + request("/last"));
    server.receive(piece);
    // The owner uses its buffer again.
    if (before !== "") piece.fill(0);
    server.receive(request("/more"));
    server.flush();
    assert.deepEqual(
      server.requests.map(({ head }) => head?.path),
      [`/${before}`, `/${behind}`, "/last", "/more"],
    );
  }
});

Deno.test("a request that comes while the session drains is its last", () => {
  const server = new TestServer();
  server.receive("GET / HTTP/1.1\r\nHost:");
  assert.equal(server.session.busy, false);
  server.session.shutdown();
  assert.equal(server.closed?.by, "owner", "a head that is not complete has not begun");

  const { server: upgraded, stream, session } = asked(UPGRADE);
  session.shutdown();
  stream.respond({ status: 101, fields: [] });
  upgraded.receive("through");
  assert.equal(upgraded.open, true, "a tunnel goes on");
  assert.equal(upgraded.requests[0]?.body, "through");
});

Deno.test("trailers end a request that was answered before them", () => {
  const { server, stream, seen } = asked(post("Transfer-Encoding: chunked", "Trailer: x-a"));
  stream.respond({ status: 200, fields: ["content-length", "0"] });
  stream.sendData(new Uint8Array(0), true);
  assert.equal(server.session.busy, true);
  server.receive(`0\r\nx-a: 1\r\n\r\n${request("/next")}`);
  server.flush();
  assert.deepEqual(seen.trailers, ["x-a", "1"]);
  assert.deepEqual([stream.closed, server.requests[1]?.head?.path], [true, "/next"]);
});

Deno.test("an answer that has begun is not taken for ended while its request goes on", () => {
  const { server, stream } = asked(post("Content-Length: 4"));
  stream.respond({ status: 200, fields: [] });
  server.receive("rest");
  assert.equal(server.session.busy, true, "the answer goes on");
  stream.sendData(octets("ok"), true);
  assert.equal(server.session.busy, false);
});

Deno.test("consuming half a full window tells the owner once, less tells nobody", () => {
  const { window } = H1_EDGE_LIMITS;
  const server = new TestServer();
  server.autoConsume = false;
  server.receive(post(`Content-Length: ${2 * window}`));
  server.receive(new Uint8Array(window - 1));
  const [seen] = server.requests;
  const { outputs } = server;
  seen?.stream.consume(window / 2);
  assert.equal(server.outputs, outputs, "the window was not full");
});

Deno.test("a reset says whether the answer was complete, and cuts only what nothing else ends", () => {
  const reset = (answer: (stream: ReturnType<typeof asked>["stream"]) => void, head: string) => {
    const { server, stream } = asked(head);
    answer(stream);
    stream.reset();
    assert.equal(stream.closed, true);
    return [server.closed?.reason, server.closed?.abrupt];
  };
  const upload = post("Content-Length: 100");
  const old = "POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\n";
  assert.deepEqual(reset(() => {}, upload), ["cut off", false]);
  assert.deepEqual(reset(() => {}, old), ["cut off", false]);
  const begin = (end: boolean) => (stream: ReturnType<typeof asked>["stream"]) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(octets("x"), end);
  };
  assert.deepEqual(reset(begin(true), upload), ["the request was not wanted to its end", false]);
  assert.deepEqual(reset(begin(true), old), ["the request was not wanted to its end", false]);
  assert.deepEqual(reset(begin(false), upload), ["cut off", false]);
  assert.deepEqual(reset(begin(false), old), ["cut off", true]);
});

Deno.test("an answer of a wrong length resets the request by the rules, once", () => {
  const { server, stream, seen } = asked(request("/"));
  stream.respond({ status: 200, fields: ["content-length", "2"] });
  assert.equal(stream.sendData(octets("long")), true);
  assert.deepEqual(seen.reset, {
    by: "rules",
    reason: "the answer is not as long as it declared",
    untouched: false,
  });
  assert.deepEqual([stream.closed, server.closed?.by], [true, "rules"]);
  const trailed = asked(request("/"));
  trailed.stream.respond({ status: 200, fields: ["content-length", "2"] });
  trailed.stream.sendTrailers(["x", "1"]);
  assert.equal(trailed.seen.reset?.by, "rules");
});

Deno.test("content after the end of an answer goes nowhere, and asks for no pause", () => {
  const { server, stream } = asked(post("Content-Length: 100"));
  stream.respond({ status: 200, fields: ["content-length", "2"] });
  assert.equal(stream.sendData(octets("ok"), true), true);
  assert.equal(stream.sendData(octets("more")), true);
  assert.equal(stream.sendData(octets("more"), true), true);
  stream.sendTrailers(["x", "1"]);
  assert.match(server.flush(), /\r\n\r\nok$/);
  assert.equal(server.open, true);
});

Deno.test("an error in the middle of an upload ends the connection, a success that goes on does not", () => {
  for (const [status, closes] of [[200, false], [399, false], [400, true], [500, true]] as const) {
    const { server, stream } = asked(post("Content-Length: 4"));
    stream.respond({ status, fields: ["content-length", "1"] });
    stream.sendData(octets("x"), true);
    assert.equal(server.flush().includes("connection: close"), closes, `${status}`);
    server.receive("rest");
    assert.equal(server.open, !closes);
  }
  const { server, stream } = asked(post("Content-Length: 4"));
  stream.respond({ status: 204, fields: [] }, true);
  assert.match(server.flush(), /connection: close/, "an answer that ends at once");
});

Deno.test("informational responses carry no framing", () => {
  const { server, stream } = asked(request("/"));
  stream.respond({ status: 103, fields: ["trailer", "x", "content-length", "1", "link", "</a>"] });
  assert.equal(server.flush(), "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
});

Deno.test("a response without chunks announces no trailers, one without content has no length", () => {
  const { server, stream } = asked(request("/"));
  stream.respond({ status: 204, fields: ["trailer", "x", "content-length", "0"] }, true);
  assert.equal(server.flush(), "HTTP/1.1 204 No Content\r\n\r\n");
  const head = asked("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  head.stream.respond({ status: 200, fields: ["content-length", "0"] }, true);
  assert.equal(head.server.flush(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
});

Deno.test("content of every size around a copy's limit goes out once and in order", () => {
  for (const size of [1, 15, 16, 4095, 4096, 4097, 70_000]) {
    const { server, stream } = asked(request("/"));
    stream.respond({ status: 200, fields: [] });
    const content = "y".repeat(size);
    stream.sendData(octets(content));
    stream.sendData(octets("z"), true);
    assert.equal(
      server.flush(),
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
        `${size.toString(16)}\r\n${content}\r\n1\r\nz\r\n0\r\n\r\n`,
    );
  }
});

Deno.test("what is written tells the owner each time that nothing waited before", () => {
  const { server, stream } = asked(request("/"));
  const counted = (write: () => void) => {
    const { outputs } = server;
    write();
    write();
    const told = server.outputs - outputs;
    server.session.takeOutput();
    return told;
  };
  assert.equal(counted(() => stream.respond({ status: 103, fields: [] })), 1);
  stream.respond({ status: 200, fields: [] });
  server.session.takeOutput();
  assert.equal(counted(() => stream.sendData(octets("x"))), 1);
  const { outputs } = server;
  stream.sendTrailers(["x", "1"]);
  assert.equal(server.outputs, outputs + 1);
  const refused = new TestServer();
  refused.receive("broken\r\n\r\n");
  assert.equal(refused.outputs, 1);
});

Deno.test("large fields and trailers go out whole, beside others in the same buffer", () => {
  const value = "v".repeat(3000);
  const fields = Array.from({ length: 40 }, (_, i) => [`x-${i}`, value]).flat();
  const { server, stream } = asked(request("/"));
  stream.respond({ status: 200, fields });
  stream.sendTrailers(["x-t", value.repeat(20), "te", "x", "x-u", "1"]);
  const lines = fields.map((text, i) => i % 2 === 0 ? `${text}: ` : `${text}\r\n`).join("");
  assert.equal(
    server.flush(),
    `HTTP/1.1 200 OK\r\n${lines}transfer-encoding: chunked\r\n\r\n` +
      `0\r\nx-t: ${value.repeat(20)}\r\nx-u: 1\r\n\r\n`,
  );
});

Deno.test("an upgrade needs HTTP/1.1, Connection and a protocol; without them it is none", () => {
  const plain = [
    request("/", "Upgrade: websocket", "Sec-WebSocket-Key: k"),
    request("/", "Connection: Upgrade"),
    "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Key: k\r\n\r\n",
  ];
  for (const head of plain) {
    const { seen } = asked(head);
    assert.deepEqual([seen.head?.method, seen.head?.protocol], ["GET", ""]);
  }
});

Deno.test("HTTP/1.0 that says close and keep-alive is closed", () => {
  const { server, stream } = asked(
    "GET / HTTP/1.0\r\nHost:\r\nConnection: keep-alive, close\r\n\r\n",
  );
  stream.respond({ status: 204, fields: [] }, true);
  assert.match(server.flush(), /connection: close/);
  assert.equal(server.requests[0]?.head?.authority, "");
});

Deno.test("a refusal says in its content what its status means", () => {
  const server = new TestServer();
  server.receive("GET / HTTP/9.9\r\n\r\n");
  assert.match(server.flush(), /\r\n\r\n505 HTTP Version Not Supported\n$/);
});

Deno.test("a declared length of nothing is kept, ended later", () => {
  const { server, stream } = asked(request("/"));
  stream.respond({ status: 200, fields: ["content-length", "0"] });
  stream.sendData(new Uint8Array(0), true);
  assert.equal(server.flush(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
});

Deno.test("a Trailer field is passed on, with the names it announces", () => {
  const { seen } = asked(post("Transfer-Encoding: chunked", "Trailer: X-A"));
  assert.deepEqual(seen.head?.fields, ["trailer", "X-A"]);
});

Deno.test("OPTIONS of an absolute target asks about the server only without a path", () => {
  const path = (target: string) =>
    asked(`OPTIONS ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`).seen.head?.path;
  assert.deepEqual(["http://a.test", "http://a.test/x", "http://a.test?q"].map(path), [
    "*",
    "/x",
    "/?q",
  ]);
});

Deno.test("HTTP/1.0 without a Host has no authority", () => {
  assert.equal(asked("GET / HTTP/1.0\r\n\r\n").seen.head?.authority, "");
});
