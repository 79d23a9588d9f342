import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../../lib/h1/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, cut, type FuzzTarget } from "../../support/fuzz_target.ts";
import { octets, summary, TestClient, TestServer, text } from "../../support/h1_pair.ts";

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

const REQUEST_LINES = [
  "GET / HTTP/1.1",
  "POST /p HTTP/1.1",
  "HEAD / HTTP/1.0",
  "\r\nPUT * HTTP/1.1",
];
const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 103 Early Hints",
  "HTTP/1.0 200",
  "HTTP/1.1 204 x",
  "HTTP/1.1 101 x",
];

/** Messages that are mostly correct. */
function messages(random: Random, lines: readonly string[], more: readonly string[]): string {
  let whole = "";
  for (let i = random.below(5); i >= 0; i--) {
    const heads = Array.from({ length: random.below(4) }, () => random.pick(FIELDS));
    whole += [random.pick(lines), ...more, ...heads, "", ""].join("\r\n");
    if (random.below(2) === 0) whole += "abc";
    for (let j = random.below(4); j > 0; j--) whole += random.pick(CHUNKS);
  }
  return whole;
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
  const { closed, refusals, requests } = server;
  return { heads, closed, refusals, seen: summary(requests) };
}

/** HTTP/1.1 as a server reads it. */
export const H1_REQUESTS: FuzzTarget = {
  name: "h1_requests",
  rounds: 3000,
  make: (random) =>
    random.below(8) === 0
      ? random.bytes(random.below(200))
      : octets(messages(random, REQUEST_LINES, ["Host: a.test"])),
  check(bytes, random) {
    assert.deepEqual(serve(cut(bytes, random)), serve([bytes]));
  },
};

const TUNNEL = { method: "CONNECT", protocol: "websocket" };
const ASKED = [{}, { method: "HEAD" }, { method: "POST" }, TUNNEL];

/** A client fed with `chunks` after its request. */
function ask(chunks: readonly Uint8Array[], kind: number): unknown {
  const client = new TestClient();
  const seen = client.ask(ASKED[kind], kind < 2);
  client.flush();
  for (const chunk of chunks) client.receive(chunk);
  assert.equal(seen.ended && seen.reset !== undefined, false, "one end");
  client.session.receiveEnd(1);
  client.session.abort("test ends");
  return { closed: client.closed, seen: summary([seen]) };
}

/** HTTP/1.1 as a client reads it; the first octet says what was asked. */
export const H1_ANSWERS: FuzzTarget = {
  name: "h1_answers",
  rounds: 3000,
  make: (random) => octets(String(random.below(4)) + messages(random, STATUS_LINES, [])),
  check(bytes, random) {
    const kind = (bytes[0] ?? 0) & 3;
    const answer = bytes.slice(1);
    assert.deepEqual(ask(cut(answer, random), kind), ask([answer], kind));
  },
};

/** What RFC 9112 §7.1 says of a chunked body that is whole; nothing if it is not. */
function dechunk(
  coded: string,
): { body: string; rest: string; plain: boolean } | undefined {
  let body = "";
  let rest = coded;
  let plain = true;
  for (;;) {
    const line = /^([0-9A-Fa-f]+)([^\r\n]*)\r\n/.exec(rest);
    if (line === null) return undefined;
    const [all, digits = "", extension = ""] = line;
    const size = parseInt(digits, 16);
    plain &&= digits.length <= 6 && extension === "";
    rest = rest.slice(all.length);
    if (size === 0) break;
    if (rest.length < size + 2 || rest.slice(size, size + 2) !== "\r\n") return undefined;
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  while (!rest.startsWith("\r\n")) {
    const end = rest.indexOf("\r\n");
    if (end < 0) return undefined;
    plain = false;
    rest = rest.slice(end + 2);
  }
  return { body, rest: rest.slice(2), plain };
}

const HEAD = octets("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");

/** Chunked content, held against a second reader that knows nothing but the grammar. */
export const H1_CHUNKS: FuzzTarget = {
  name: "h1_chunks",
  rounds: 5000,
  make(random) {
    let whole = "";
    for (let i = random.below(5); i > 0; i--) {
      const content = "x".repeat(random.pick([1, 2, 9, 10, 15, 16, 17, 255, 4096]));
      const digits = content.length.toString(16).padStart(1 + random.below(3), "0");
      const extension = random.pick(["", "", "", ";a", ";a=1", ';a="b;\\"c"', " ;a", "\t"]);
      whole += `${digits}${extension}\r\n${content}\r\n`;
    }
    whole += random.pick([
      "0\r\n\r\n",
      "0\r\n\r\n",
      "00\r\n\r\n",
      "0\r\nX-T: 1\r\n\r\n",
      "0;a\r\n",
    ]);
    return bytesOf(whole + random.pick(["", "", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"]));
  },
  check(bytes, random) {
    const read = (chunks: readonly Uint8Array[]) => {
      const server = new TestServer();
      server.receive(HEAD);
      for (const chunk of chunks) server.receive(chunk);
      const [request] = server.requests;
      assert(request !== undefined);
      return { body: request.body, ended: request.ended, invalid: request.invalid !== undefined };
    };
    const seen = read([bytes]);
    assert.deepEqual(read(cut(bytes, random)), seen);
    const meant = dechunk(text([bytes]));
    if (seen.ended) {
      assert.equal(seen.body, meant?.body, "what was taken for whole is whole");
    } else if (meant?.plain) {
      assert.fail("what is whole and plain was not taken");
    }
  },
};
