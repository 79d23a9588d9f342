import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../../lib/h1/mod.ts";
import { octets, TestServer } from "../../support/h1_pair.ts";

const post = (...fields: string[]) =>
  ["POST /p HTTP/1.1", "Host: a.test", ...fields, "", ""].join("\r\n");
const CHUNKED = post("Transfer-Encoding: Chunked");
const NEXT = "GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n";

/** A server that answers each request when it has ended. */
function answering(limits = H1_EDGE_LIMITS): TestServer {
  const server = new TestServer(limits);
  const answer: TestServer["request"] = ({ stream }, end) => {
    if (end) stream.respond({ status: 200, fields: ["content-length", "0"] }, true);
  };
  server.request = answer;
  server.data = (seen, _bytes, end) => answer(seen, end);
  return server;
}

const BODIES: Readonly<
  Record<string, readonly [input: string, body: string, trailers?: string[]]>
> = {
  "a length": [`${post("Content-Length: 5")}hello`, "hello"],
  "one chunk": [`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, "hello"],
  "chunks with sizes in either case and zeroes before them": [
    `${CHUNKED}0000A\r\n0123456789\r\nb\r\n01234567890\r\n000\r\n\r\n`,
    "012345678901234567890",
  ],
  "no chunk": [`${CHUNKED}0\r\n\r\n`, ""],
  "chunk extensions, which are dropped": [
    `${CHUNKED}5;a=b\r\nhello\r\n1 ; c="d;\xe4" \t\r\n!\r\n0;last\r\n\r\n`,
    "hello!",
  ],
  "known trailers": [
    `${CHUNKED}1\r\nx\r\n0\r\nX-Checksum: 1\r\nGrpc-Status: 0\r\n\r\n`,
    "x",
    ["x-checksum", "1", "grpc-status", "0"],
  ],
  "trailers that nobody announced, which are dropped": [
    `${CHUNKED}1\r\nx\r\n0\r\nX-Mine: 1\r\nHost: b.test\r\nConnection: close\r\n\r\n`,
    "x",
  ],
  "announced trailers": [
    `${post("Transfer-Encoding: chunked", "Trailer: X-Mine, Host")}1\r\nx\r\n0\r\n` +
    "X-Mine: 1\r\nHost: b.test\r\n\r\n",
    "x",
    ["x-mine", "1"],
  ],
};
for (const [name, [input, body, trailers]] of Object.entries(BODIES)) {
  Deno.test(`content with ${name} is read to its end and not beyond, at every split`, () => {
    const whole = octets(input + NEXT);
    for (let cut = 0; cut <= whole.length; cut++) {
      const server = answering();
      server.receive(whole.slice(0, cut));
      if (cut < input.length) assert.equal(server.requests[0]?.ended ?? false, false, `at ${cut}`);
      server.receive(whole.slice(cut));
      server.flush();
      const [first, second] = server.requests;
      assert.deepEqual([first?.body, first?.trailers, first?.ended], [body, trailers, true]);
      assert.equal(second?.head?.path, "/next");
      assert.equal(server.open, true);
    }
  });
}

const BROKEN: Readonly<Record<string, string>> = {
  "a negative size": "-5\r\nhello\r\n0\r\n\r\n",
  "a signed size": "+5\r\nhello\r\n0\r\n\r\n",
  "a size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
  "no size": "\r\nhello\r\n0\r\n\r\n",
  "a space before the size": " 5\r\nhello\r\n0\r\n\r\n",
  "a space after the size": "5 \r\nhello\r\n0\r\n\r\n",
  "a size of 14 digits": "00000000000005\r\nhello\r\n0\r\n\r\n",
  "a size that overflows": "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "a size that ends in a bare line feed": "5\nhello\r\n0\r\n\r\n",
  "a size that ends in a bare carriage return": "5\rhello\r\n0\r\n\r\n",
  "an extension with a bare carriage return": "5;a\rb\r\nhello\r\n0\r\n\r\n",
  "an extension with a NUL": "5;a=\0\r\nhello\r\n0\r\n\r\n",
  "no line end after the content": "5\r\nhelloXX0\r\n\r\n",
  "a bare line feed after the content": "5\r\nhello\n0\r\n\r\n",
  "content longer than its size": "4\r\nhello\r\n0\r\n\r\n",
  "a length in its trailers": "5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n",
  "a coding in its trailers": "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
  "a trailer without a colon": "5\r\nhello\r\n0\r\nX-A\r\n\r\n",
  "a folded trailer": "5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n",
  "a trailer that ends in a bare line feed": "5\r\nhello\r\n0\r\nX-A: 1\n\r\n",
  "a line as long as no size is": `5;${"x".repeat(H1_EDGE_LIMITS.maxChunkLine)}`,
  "trailers above the limit": `0\r\nX-A: ${"x".repeat(H1_EDGE_LIMITS.maxTrailers)}`,
};
for (const [name, chunks] of Object.entries(BROKEN)) {
  Deno.test(`chunks with ${name} are answered 400, and nothing behind them is read`, () => {
    const server = answering();
    server.receive(CHUNKED + chunks + NEXT);
    const answer = server.flush();
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /connection: close/);
    assert.equal(answer.split("HTTP/1.1").length, 2, "one answer");
    assert.equal(server.requests.length, 1);
    assert.notEqual(server.requests[0]?.invalid, undefined);
    assert.notEqual(server.closed, undefined);
  });
}

Deno.test("broken chunks behind an answer that has begun cut it off", () => {
  const server = new TestServer();
  server.request = ({ stream }) => void stream.respond({ status: 200, fields: [] });
  server.invalid = ({ stream }) => stream.reset();
  server.receive(`${CHUNKED}zz\r\n`);
  assert.equal(server.flush().endsWith("0\r\n\r\n"), false);
  assert.deepEqual([server.closed?.by, server.closed?.abrupt], ["owner", false]);
});

Deno.test("chunk extensions up to the limit are taken, one octet more is not", () => {
  const { maxChunkOverhead, maxChunkLine } = H1_EDGE_LIMITS;
  // 16 octets of each line are free; the last line brings the sum to the limit or one beyond.
  const each = maxChunkLine - 1;
  const line = (octets: number) => `1;${"x".repeat(octets - 4)}\r\nx\r\n`;
  const whole = Math.floor(maxChunkOverhead / (each - 17));
  const rest = maxChunkOverhead - whole * (each - 17);
  for (const more of [0, 1]) {
    const server = new TestServer();
    server.receive(CHUNKED + line(each).repeat(whole) + line(rest + 17 + more));
    assert.equal(server.requests[0]?.invalid !== undefined, more === 1);
  }
});

Deno.test("extensions on chunks that carry content are no attack", () => {
  const server = new TestServer();
  const chunk = `400;signature=${"x".repeat(85)}\r\n${"y".repeat(1024)}\r\n`;
  server.receive(CHUNKED + chunk.repeat(1000));
  assert.equal(server.requests[0]?.invalid, undefined);
  assert.equal(server.requests[0]?.body.length, 1_024_000);
});

Deno.test("reading stops when the window is full, and goes on when half of it was consumed", () => {
  const { window } = H1_EDGE_LIMITS;
  const server = new TestServer();
  server.autoConsume = false;
  server.receive(post(`Content-Length: ${2 * window}`));
  server.receive(new Uint8Array(window - 1));
  assert.equal(server.session.congested, false);
  server.receive(new Uint8Array(1));
  assert.equal(server.session.congested, true);
  const stream = server.requests[0]?.stream;
  stream?.consume(window / 2 - 1);
  assert.equal(server.session.congested, true);
  const { outputs } = server;
  stream?.consume(1);
  assert.equal(server.session.congested, false);
  assert.equal(server.outputs, outputs + 1, "the owner is told");
});

Deno.test("a client that leaves in the middle of its request ends it", () => {
  for (const part of ["5\r\nhel", "5\r\nhello\r\n", "0\r\n"]) {
    const server = new TestServer();
    server.receive(CHUNKED + part);
    server.session.receiveEnd(1);
    assert.equal(server.requests[0]?.reset?.by, "lost");
    assert.equal(server.closed?.by, "peer");
    assert.equal(server.requests[0]?.ended, false);
  }
});

Deno.test("small chunks of one piece are passed on together, in order with large ones", () => {
  const server = answering();
  const chunk = (content: string) => `${content.length.toString(16)}\r\n${content}\r\n`;
  const [small, large] = [chunk("a").repeat(500), chunk("b".repeat(256))];
  server.receive(octets(`${CHUNKED}${small}${large}${small}0\r\n\r\n`));
  const [request] = server.requests;
  assert.equal(request?.body, "a".repeat(500) + "b".repeat(256) + "a".repeat(500));
  assert.equal(request?.pieces, 4, "small ones, the large one, small ones, the end");
  assert.ok(request?.ended);
});

Deno.test("what small chunks held before a mistake is passed on before it", () => {
  const server = answering();
  server.receive(octets(`${CHUNKED}1\r\na\r\n1\r\nb\r\nx\r\n`));
  const [request] = server.requests;
  assert.equal(request?.body, "ab");
  assert.equal(request?.invalid, "an invalid chunk size");
});
