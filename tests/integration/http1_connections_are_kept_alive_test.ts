import assert from "node:assert/strict";
import { startHttpBackend, startL7 } from "../support/l7.ts";
import { requestText, Wire } from "../support/h1_wire.ts";

/** A backend that answers with the method, the path and the length of what it got. */
function startTelling() {
  return startHttpBackend("http1", (request, response) => {
    let octets = 0;
    request.on("data", (chunk: Uint8Array) => octets += chunk.length);
    request.on("end", () => response.end(`${request.method} ${request.url} ${octets}`));
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("ten requests a second apart are answered on one connection", async () => {
  await using backend = await startTelling();
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  for (let i = 0; i < 10; i++) {
    if (i > 0) await pause(1000);
    await wire.send(requestText("GET", `/${i}`));
    const { status, lines, body } = await wire.answer();
    assert.deepEqual([status, body], [200, `GET /${i} 0`]);
    assert.ok(!lines.some((line) => /^connection:/i.test(line)), "nothing says that it ends");
  }
  assert.ok(await wire.isQuiet());
  await wire.end();
  assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" });
  assert.equal(proxy.requests.length, 10);
});

/** How HTTP clients cut what they send into writes; each write is one TLS record. */
const PATTERNS: Readonly<Record<string, (method: string, path: string, body: string) => string[]>> =
  {
    // net/http: head and body through one 4 KiB buffer, in one write; it takes a connection back as
    // soon as it has read the last octet of the answer.
    "Go": (method, path, body) => [
      requestText(method, path, {
        fields: ["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"],
        body,
      }),
    ],
    // httpx over h11: the head, then the body, each with a write of its own.
    "httpx": (method, path, body) => {
      const fields = ["Accept: */*", "Accept-Encoding: gzip, deflate", "Connection: keep-alive"];
      const whole = requestText(method, path, { fields, body });
      const head = whole.length - body.length;
      return body === "" ? [whole] : [whole.slice(0, head), whole.slice(head)];
    },
    // java.net.http: head and body apart; a POST of unknown length in chunks.
    "Java": (method, path, body) => {
      const fields = ["User-Agent: Java-http-client/21.0.1"];
      if (body === "") {
        return [requestText(method, path, { fields: ["Content-Length: 0", ...fields] })];
      }
      const head = requestText(method, path, { fields: [...fields, "Transfer-encoding: chunked"] });
      return [head, `${body.length.toString(16)}\r\n${body}\r\n`, "0\r\n\r\n"];
    },
    // undici: corked head, then the body; fields in lower case.
    "undici": (method, path, body) => {
      const fields = ["connection: keep-alive", "accept: */*", "sec-fetch-mode: cors"];
      const head = requestText(method, path, {
        fields: [...fields, `content-length: ${body.length}`],
      });
      return body === "" ? [head] : [head, body];
    },
  };

for (const [client, write] of Object.entries(PATTERNS)) {
  Deno.test(`forty requests as ${client} writes them, GET and POST in turn, share a connection`, async () => {
    await using backend = await startTelling();
    await using proxy = await startL7({ backend: backend.address });
    using wire = await Wire.connect(proxy);
    for (let i = 0; i < 40; i++) {
      const method = i % 2 === 0 ? "GET" : "POST";
      const body = method === "POST" ? "x".repeat(1 + 100 * i) : "";
      for (const piece of write(method, `/${i}`, body)) await wire.send(piece);
      const answer = await wire.answer();
      assert.deepEqual([answer.status, answer.body], [200, `${method} /${i} ${body.length}`]);
    }
    assert.ok(await wire.isQuiet());
    assert.equal(proxy.requests.length, 40);
  });
}

Deno.test("HTTP/1.0 is kept alive when it asks for it, and only then", async () => {
  await using backend = await startHttpBackend("http1", (_request, response) => {
    response.setHeader("Content-Length", "2");
    response.end("ok");
  });
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  for (let i = 0; i < 2; i++) {
    await wire.send("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
    const { lines, body } = await wire.answer();
    assert.equal(body, "ok");
    assert.ok(lines.includes("connection: keep-alive"));
  }
  await wire.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
  const { text, ending } = await wire.toEnd();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*connection: close\r\n\r\nok$/);
  assert.equal(ending, "closed");
});

Deno.test("content without a length to HTTP/1.0 ends with the connection", async () => {
  await using backend = await startHttpBackend("http1", (_request, response) => {
    response.write("one ");
    response.end("two");
  });
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  await wire.send("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
  const { text, ending } = await wire.toEnd();
  assert.match(text, /connection: close\r\n\r\none two$/);
  assert.doesNotMatch(text, /chunked/i);
  assert.equal(ending, "closed");
});
