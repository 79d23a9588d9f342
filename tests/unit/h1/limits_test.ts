import assert from "node:assert/strict";
import { H1_BACKEND_LIMITS, H1_EDGE_LIMITS } from "../../../lib/h1/mod.ts";
import { TestClient, TestServer } from "../../support/h1_pair.ts";

Deno.test("the limits are those that the documentation gives", () => {
  assert.deepEqual(H1_EDGE_LIMITS, {
    maxHead: 64 * 1024,
    maxFields: 4096,
    maxTrailers: 16 * 1024,
    maxChunkLine: 1024,
    maxChunkOverhead: 16 * 1024,
    window: 64 * 1024,
    sendBuffer: 64 * 1024,
    headerTimeoutMs: 10_000,
    idleTimeoutMs: 75_000,
  });
  assert.equal(H1_BACKEND_LIMITS.window, 128 * 1024);
  assert.equal(H1_BACKEND_LIMITS.headerTimeoutMs, Infinity);
  assert.equal(H1_BACKEND_LIMITS.idleTimeoutMs, Infinity);
});

const CHUNKED = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Why the content of a request is invalid. */
function problemOf(content: string, limits = H1_EDGE_LIMITS): string | undefined {
  const server = new TestServer(limits);
  server.receive(CHUNKED + content);
  return server.requests[0]?.invalid;
}

Deno.test("all trailers together have a limit, and at it they are taken", () => {
  const limits = { ...H1_EDGE_LIMITS, maxTrailers: 26 };
  // 10 and 14 octets with their CR LF; the empty line counts too.
  assert.equal(problemOf("0\r\nx-a: 123\r\nx-b: 1234567\r\n\r\n", limits), undefined);
  for (const trailers of ["x-a: 123\r\nx-b: 12345678\r\n", `x-a: ${"1".repeat(26)}`]) {
    assert.equal(problemOf(`0\r\n${trailers}\r\n`, limits), "the trailers are too large");
  }
});

Deno.test("trailers are counted the same when they come octet by octet, and anew in each message", () => {
  const limits = { ...H1_EDGE_LIMITS, maxTrailers: 26 };
  for (const [last, problem] of [["7", undefined], ["78", "the trailers are too large"]] as const) {
    const server = new TestServer(limits);
    server.data = ({ stream }, _bytes, end) => {
      if (end) stream.respond({ status: 204, fields: [] }, true);
    };
    for (let message = 0; message < 3; message++) {
      const whole = `${CHUNKED}0\r\nx-a: 123\r\nx-b: 123456${last}\r\n\r\n`;
      for (const octet of whole) server.receive(octet);
      server.flush();
      if (problem !== undefined) break;
    }
    assert.equal(server.requests.at(-1)?.invalid, problem);
    assert.equal(server.requests.length, problem === undefined ? 3 : 1);
  }
});

Deno.test("small chunks without extensions are no attack, however many", () => {
  assert.equal(problemOf("1\r\nx\r\n".repeat(20_000)), undefined);
});

Deno.test("content of one chunk pays for no extension of another", () => {
  const extension = `1;${"x".repeat(1000)}\r\nx\r\n`;
  const large = `ffff\r\n${"y".repeat(0xffff)}\r\n`;
  assert.equal(
    problemOf(large + extension.repeat(20)),
    "more chunk extensions than content",
  );
});

Deno.test("broken chunks say what is wrong with them", () => {
  assert.equal(problemOf("zz\r\n"), "an invalid chunk size");
  assert.equal(problemOf("1\n"), "a bare line feed");
  assert.equal(problemOf(`1;${"x".repeat(1022)}`), undefined);
  assert.equal(problemOf(`1;${"x".repeat(1023)}`), "a chunk's line is too long");
  assert.equal(problemOf("1\r\nxy"), "no line end after a chunk");
  assert.equal(problemOf("0\r\nx: 1\n"), "a bare line feed");
  assert.equal(problemOf("0\r\nx\r\n"), "an invalid trailer");
  assert.equal(problemOf("0\r\nhost: a\r\nhost: b\r\n\r\n"), "an invalid trailer");
  assert.equal(problemOf("0\r\ncontent-length: 0\r\n\r\n"), "a framing field in trailers");
});

Deno.test("two Hosts in the trailers of an answer are dropped like one", () => {
  const client = new TestClient();
  const seen = client.ask();
  client.flush();
  client.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
  client.receive("host: a\r\nhost: b\r\netag: c\r\n\r\n");
  assert.deepEqual([seen.trailers, seen.reset, client.idles], [["etag", "c"], undefined, 1]);
});

Deno.test("a head has a limit in octets and in fields, and at each it is taken", () => {
  const first = "GET / HTTP/1.1\r\n";
  const host = "Host: a.test\r\n";
  const size = first.length + host.length + "x: ".length + 2 + 2;
  const refusal = (head: string, limits: Partial<typeof H1_EDGE_LIMITS>) => {
    const server = new TestServer({ ...H1_EDGE_LIMITS, ...limits });
    for (const octet of head) server.receive(octet);
    return server.refusals[0];
  };
  const maxHead = size + 20;
  const padded = (octets: number) => `${first}${host}x: ${"y".repeat(octets)}\r\n\r\n`;
  assert.equal(refusal(padded(20), { maxHead }), undefined);
  const reason = "the head is too large";
  assert.deepEqual(refusal(padded(21), { maxHead }), { status: 431, reason });
  assert.deepEqual(refusal("GET /".padEnd(maxHead + 1, "x"), { maxHead }), { status: 414, reason });
  assert.equal(refusal(`${first}${host}a:\r\n\r\n`, { maxFields: 2 }), undefined);
  assert.deepEqual(refusal(`${first}${host}a:\r\nb:\r\n`, { maxFields: 2 }), {
    status: 431,
    reason: "too many fields",
  });
  // Each head has its own.
  const taken = `${first}${host}a:\r\n\r\n`;
  const server = new TestServer({ ...H1_EDGE_LIMITS, maxFields: 2 });
  server.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
  server.receive(taken.repeat(2));
  server.flush();
  assert.deepEqual([server.requests.length, server.refusals], [2, []]);
});

Deno.test("four empty lines before a request are skipped, and none more", () => {
  for (const [lines, taken] of [[4, true], [5, false]] as const) {
    const server = new TestServer();
    server.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
    const request = "\r\n".repeat(lines) + "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    server.receive(request);
    server.flush();
    // Each request has its own.
    server.receive(request);
    server.flush();
    assert.equal(server.requests.length, taken ? 2 : 0);
    assert.equal(server.refusals.length, taken ? 0 : 1);
  }
});
