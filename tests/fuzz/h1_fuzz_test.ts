import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../lib/h1/mod.ts";
import { fuzzTest, mutate, type Random } from "../support/fuzz.ts";
import { octets, summary, TestClient, TestServer } from "../support/h1_pair.ts";

const ROUNDS = 2000;

const FIELDS = [
  "Content-Length: 3",
  "Content-Length: 0",
  "Transfer-Encoding: chunked",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k",
  "Expect: 100-continue",
  "Cookie: a=1",
  "X-A: b",
  "Trailer: x-t",
  "TE: trailers",
];
const CHUNKS = ["3\r\nabc\r\n", "1;ext=1\r\nx\r\n", "0\r\n\r\n", "0\r\nX-T: 1\r\n\r\n", "a\r\n"];

function heads(random: Random): string[] {
  return Array.from({ length: random.below(4) }, () => random.pick(FIELDS));
}

/** What a client that is mostly correct might send. */
function requests(random: Random): Uint8Array {
  let whole = "";
  for (let i = random.below(6); i >= 0; i--) {
    const line = random.pick([
      "GET / HTTP/1.1",
      "POST /p HTTP/1.1",
      "HEAD / HTTP/1.0",
      "\r\nPUT * HTTP/1.1",
    ]);
    whole += [line, "Host: a.test", ...heads(random), "", ""].join("\r\n");
    if (random.below(2) === 0) whole += "abc";
    for (let j = random.below(4); j > 0; j--) whole += random.pick(CHUNKS);
  }
  return octets(whole);
}

/** What a backend that is mostly correct might send. */
function answers(random: Random): Uint8Array {
  let whole = "";
  for (let i = random.below(3); i >= 0; i--) {
    const line = random.pick([
      "HTTP/1.1 200 OK",
      "HTTP/1.1 103 Early Hints",
      "HTTP/1.0 200",
      "HTTP/1.1 204 x",
      "HTTP/1.1 101 x",
    ]);
    whole += [line, ...heads(random), "", ""].join("\r\n");
    if (random.below(2) === 0) whole += "abc";
    for (let j = random.below(4); j > 0; j--) whole += random.pick(CHUNKS);
  }
  return octets(whole);
}

function cut(bytes: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(random.pick([1, 3, 10, 100]));
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}

/** A server fed with `chunks`, whose owner echoes. Answers everything that was observable. */
function serve(chunks: readonly Uint8Array[]): unknown {
  const server = new TestServer();
  server.request = ({ stream, head }, end) => {
    stream.respond({ status: head?.protocol === "" ? 200 : 101, fields: ["x-a", "b"] }, end);
  };
  server.data = ({ stream }, bytes, end) => {
    if (!stream.closed) stream.sendData(bytes.slice(), end);
  };
  server.invalid = ({ stream }) => stream.reset();
  let out = "";
  for (const chunk of chunks) {
    server.receive(chunk);
    out += server.flush();
  }
  server.session.receiveEnd(1);
  out += server.flush();
  server.session.abort("test ends");
  assert(server.session.pendingOutput < 2 * H1_EDGE_LIMITS.sendBuffer);
  // Chunks of the response are cut as the request was; everything else is the same.
  const heads = out.match(/HTTP\/1\.1 \d+/g);
  return {
    heads,
    closed: server.closed,
    refusals: server.refusals,
    seen: summary(server.requests),
  };
}

fuzzTest("H1ServerSession never throws, and what it does never depends on the cuts", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const whole = requests(random);
    const bytes = random.below(3) === 0 ? whole : mutate(whole, random);
    assert.deepEqual(serve(cut(bytes, random)), serve([bytes]));
  }
});

/** A client fed with `chunks` after its request. */
function ask(chunks: readonly Uint8Array[], kind: number): unknown {
  const client = new TestClient();
  const tunnel = { method: "CONNECT", protocol: "websocket" };
  const seen = client.ask([{}, { method: "HEAD" }, { method: "POST" }, tunnel][kind], kind < 2);
  client.flush();
  for (const chunk of chunks) client.receive(chunk);
  assert.equal(seen.ended && seen.reset !== undefined, false, "one end");
  client.session.receiveEnd(1);
  client.session.abort("test ends");
  return { closed: client.closed, seen: summary([seen]) };
}

fuzzTest("H1ClientSession never throws, and what it does never depends on the cuts", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const whole = answers(random);
    const bytes = random.below(3) === 0 ? whole : mutate(whole, random);
    const kind = random.below(4);
    assert.deepEqual(ask(cut(bytes, random), kind), ask([bytes], kind));
  }
});

fuzzTest("random octets are never a request or an answer that was not there", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const noise = random.bytes(random.below(200));
    const server = new TestServer();
    server.receive(noise);
    assert.deepEqual(server.requests, []);
    const client = new TestClient();
    const seen = client.ask();
    client.flush();
    client.receive(noise);
    assert.equal(seen.head, undefined);
  }
});

fuzzTest("what a client session writes, a server session reads as it was meant", (random) => {
  for (let round = 0; round < ROUNDS / 4; round++) {
    const client = new TestClient();
    const server = new TestServer();
    const method = random.pick(["GET", "POST", "get", "FOO"]);
    const body = random.bytes(random.below(20_000));
    const declared = random.below(2) === 0;
    const fields = ["x-a", "b", ...declared ? ["content-length", String(body.length)] : []];
    const seen = client.ask({ method, path: "/x", fields }, false);
    for (let at = 0; at < body.length;) {
      const end = at + 1 + random.below(6000);
      seen.stream.sendData(body.slice(at, end));
      at = end;
    }
    if (declared || random.below(2) === 0) seen.stream.sendData(new Uint8Array(0), true);
    else seen.stream.sendTrailers(["grpc-status", "0"]);
    for (const piece of cut(octets(client.flush()), random)) server.receive(piece);
    const [request] = server.requests;
    assert.deepEqual([request?.head?.method, request?.ended], [method, true]);
    assert.deepEqual(octets(request?.body ?? ""), body);
    assert.deepEqual(request?.head?.fields, fields);
  }
});
