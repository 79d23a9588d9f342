import assert from "node:assert/strict";
import { startRecordingBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { connectRawTls, HOST, seenValues, startL7, startSeeingBackend } from "../support/l7.ts";

/** A request that must not reach the backend, hidden in one that could. */
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n";

/** Sends `text` on a fresh connection and answers what came back until the proxy closed it. */
async function exchange(text: string) {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectRawTls(proxy);
  await client.write(new TextEncoder().encode(text));
  const { text: answer } = await client.readToEnd();
  return { answer, seen: backend.seen };
}

const head = (...lines: string[]) =>
  ["POST / HTTP/1.1", "Host: a.test", ...lines, "", ""].join("\r\n");

/** Heads whose length two parsers could read differently, or that are not HTTP. */
const REFUSED: Readonly<Record<string, string>> = {
  "Content-Length with Transfer-Encoding": head("Content-Length: 6", "Transfer-Encoding: chunked") +
    `0\r\n\r\n${HIDDEN}`,
  "Transfer-Encoding with Content-Length": head("Transfer-Encoding: chunked", "Content-Length: 6") +
    `0\r\n\r\n${HIDDEN}`,
  "two different Content-Lengths": head("Content-Length: 0", "Content-Length: 40") + HIDDEN,
  "two equal Content-Lengths": head("Content-Length: 5", "Content-Length: 5") + "hello",
  "a list of Content-Lengths": head("Content-Length: 0, 40") + HIDDEN,
  "a signed Content-Length": head("Content-Length: +40") + HIDDEN,
  "a Content-Length in hexadecimal": head("Content-Length: 0x28") + HIDDEN,
  "a negative Content-Length": head("Content-Length: -1") + HIDDEN,
  "an unknown coding": head("Transfer-Encoding: xchunked") + `0\r\n\r\n${HIDDEN}`,
  "a coding before chunked": head("Transfer-Encoding: gzip, chunked") + `0\r\n\r\n${HIDDEN}`,
  "chunked twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") +
    `0\r\n\r\n${HIDDEN}`,
  "chunked, then identity": head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") +
    `0\r\n\r\n${HIDDEN}`,
  "chunked with a tab before it": head("Transfer-Encoding:\x0bchunked") + `0\r\n\r\n${HIDDEN}`,
  "Transfer-Encoding in HTTP/1.0":
    `POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a space before the colon": head("Content-Length : 40") + HIDDEN,
  "a folded line": head("X-A: 1", " Content-Length: 40") + HIDDEN,
  "a bare line feed": `POST / HTTP/1.1\nHost: a.test\nContent-Length: 40\n\n${HIDDEN}`,
  "a bare carriage return": head("X-A: 1\rContent-Length: 40") + HIDDEN,
  "a NUL in a value": head("X-A: 1\0") + HIDDEN,
  "a NUL in a name": head("X-\0A: 1") + HIDDEN,
  "a line without a colon": head("Content-Length 40") + HIDDEN,
  "no Host": `GET / HTTP/1.1\r\n\r\n${HIDDEN}`,
  "two Hosts": head("Host: b.test", "Content-Length: 0"),
  "a target with a fragment": `GET /#/../admin HTTP/1.1\r\nHost: a.test\r\n\r\n${HIDDEN}`,
  "a target with a space": `GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n${HIDDEN}`,
  "an HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a CONNECT": `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n${HIDDEN}`,
  "an upgrade to h2c":
    "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "an upgrade with a body":
    "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    `Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "an upgrade to two protocols":
    "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n" +
    `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n${HIDDEN}`,
};

for (const [name, text] of Object.entries(REFUSED)) {
  Deno.test(`a request with ${name} never reaches a backend`, async () => {
    const { answer, seen } = await exchange(text);
    assert.match(answer, /^HTTP\/1\.1 (400|501|505) /);
    assert.equal(answer.indexOf("HTTP/1.1", 1), -1, "nothing after the refusal is answered");
    assert.deepEqual(seen, []);
  });
}

const BROKEN_CHUNKS: Readonly<Record<string, string>> = {
  "a negative size": "-5\r\nhello\r\n0\r\n\r\n",
  "a size that overflows": "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "a size that ends in a bare line feed": "5\nhello\r\n0\r\n\r\n",
  "no line end after the content": "5\r\nhelloXX0\r\n\r\n",
  "a space after the size": "5 \r\nhello\r\n0\r\n\r\n",
  "a length in its trailers": "5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n",
};
for (const [name, chunks] of Object.entries(BROKEN_CHUNKS)) {
  Deno.test(`a chunk with ${name} ends the connection, and what follows is not a request`, async () => {
    const { answer, seen } = await exchange(head("Transfer-Encoding: chunked") + chunks + HIDDEN);
    assert.equal(answer.includes("200 OK"), false, answer);
    assert.equal(seen.some(({ path }) => path === "/hidden"), false);
  });
}

Deno.test("requests sent ahead are answered in their order", async () => {
  const lines = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;
  const { answer, seen } = await exchange(
    lines("/1") + lines("/2") + lines("/3", "Connection: close\r\n"),
  );
  assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
  assert.deepEqual(seen.map(({ path }) => path), ["/1", "/2", "/3"]);
});

Deno.test("the absolute form wins over Host, and another host's is not served", async () => {
  const { answer, seen } = await exchange(
    "GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
  );
  assert.match(answer, /^HTTP\/1\.1 421 /);
  assert.deepEqual(seen, []);
});

Deno.test("what Connection names does not take away what the proxy says", async () => {
  const { seen } = await exchange(
    "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 10.0.0.1\r\n" +
      "Connection: close, X-Forwarded-For, X-Real-IP, Host, Cookie\r\nCookie: a=1\r\n\r\n",
  );
  const [request] = seen;
  assert.ok(request !== undefined);
  assert.deepEqual(seenValues(request, "x-forwarded-for"), ["127.0.0.1"]);
  assert.deepEqual(seenValues(request, "host"), [HOST]);
  assert.deepEqual(seenValues(request, "cookie"), ["a=1"]);
});

Deno.test("trailers cannot pretend to be fields of the head", async () => {
  const { seen } = await exchange(
    head("Transfer-Encoding: chunked", "Connection: close") +
      "5;ext=1\r\nhello\r\n0\r\nX-Checksum: 1\r\nHost: b.test\r\nAuthorization: Basic x\r\n" +
      "X-Forwarded-For: 10.0.0.1\r\n\r\n",
  );
  assert.deepEqual(seen.map(({ body }) => body), ["hello"]);
  assert.deepEqual(seen[0]?.trailers, ["x-checksum", "1"]);
});

Deno.test("a head that is too large is answered 431", async () => {
  const { answer, seen } = await exchange(head(`X-A: ${"a".repeat(70_000)}`));
  assert.match(answer, /^HTTP\/1\.1 431 /);
  assert.deepEqual(seen, []);
});

Deno.test("many small header fields reach the backend whole, none is dropped silently", async () => {
  const many = Array.from({ length: 2500 }, (_, i) => `X-${i}: ${i}`);
  await using backend = await startRecordingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await connectRawTls(proxy);
  const lines = many.join("\r\n");
  await client.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\nX-Last: 1\r\n\r\n`);
  const connection = await backend.connection();
  await eventually(() => connection.text.endsWith("\r\n\r\n"), "the head arrives");
  assert.ok(connection.text.includes(lines.toLowerCase()));
  assert.match(connection.text, /\r\nx-last: 1\r\n/);
});

Deno.test("a slow head is not waited for longer than the deadline", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectRawTls(proxy);
  await client.write("GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ");
  const trickle = setInterval(() => client.socket.write("x"), 200);
  try {
    await eventually(() => client.socket.destroyed || client.socket.readableEnded, "it is cut");
  } finally {
    clearInterval(trickle);
  }
  assert.deepEqual(backend.seen, []);
});
