import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { startHttpBackend, startL7, startSeeingBackend } from "../support/l7.ts";
import { requestText, Wire } from "../support/h1_wire.ts";

const get = (path: string, ...fields: string[]) => requestText("GET", path, { fields });

/** A backend over HTTP/1.1 that says `answer` to every request head, whatever that was. */
function startSaying(answer: string) {
  return startBackend({
    onConnection({ socket }) {
      let head = "";
      socket.on("data", (chunk: Uint8Array) => {
        head += new TextDecoder().decode(chunk);
        if (!head.includes("\r\n\r\n")) return;
        head = "";
        socket.write(answer);
      });
      socket.on("end", () => socket.end());
    },
  });
}

Deno.test("an early answer arrives in the middle of an upload that goes on", async () => {
  await using backend = await startHttpBackend("http1", (_request, response) => {
    response.writeHead(413, { "content-length": 9 });
    response.end("too large");
  });
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  const size = 50e6;
  await wire.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${size}\r\n\r\n`);
  const piece = new Uint8Array(65536);
  let sent = 0;
  const upload = (async () => {
    while (sent < size) {
      await wire.send(piece);
      sent += piece.length;
    }
  })().catch(() => {});
  const { status, lines, body } = await wire.answer();
  assert.deepEqual([status, body], [413, "too large"]);
  assert.ok(lines.includes("connection: close"), "the client is told to stop");
  const { text, ending } = await wire.toEnd();
  assert.deepEqual([text, ending], ["", "closed"], "never a RST over an unread answer");
  wire[Symbol.dispose]();
  await upload;
});

Deno.test("an answer is not lost to a client that reads it late and goes on sending", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  await wire.send(`${get("/1")}${get("/2", "Connection: close")}`);
  for (let i = 0; i < 10; i++) {
    await wire.send(new Uint8Array(100_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { text, ending } = await wire.toEnd();
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  assert.equal(ending, "closed");
  assert.equal(backend.seen.length, 2);
});

Deno.test("a connection that was answered is not kept for a client that never closes it", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  await wire.send(get("/", "Connection: close"));
  assert.equal((await wire.answer()).status, 200);
  await eventually(() => proxy.events.length === 1, "the proxy gives the connection up", 8000);
});

Deno.test("chunks and trailers that break a rule are answered 400 while nothing was", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  for (
    const chunks of ["zz\r\n", "5\r\nhelloXX", "5\nhello", "5\r\nhello\r\n0\r\nX Y: 1\r\n\r\n"]
  ) {
    using wire = await Wire.connect(proxy);
    await wire.send(
      `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}${
        get("/hidden")
      }`,
    );
    const { text, ending } = await wire.toEnd();
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)*connection: close\r\n/);
    assert.equal(text.indexOf("HTTP/1.1", 1), -1);
    assert.equal(ending, "closed");
  }
  assert.ok(!backend.seen.some(({ path }) => path === "/hidden"));
});

const EMPTY: Readonly<Record<string, readonly [ask: string, answer: string, expected: RegExp]>> = {
  "HEAD": [
    "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    /^HTTP\/1\.1 200 OK\r\ncontent-length: 5\r\n\r\n$/,
  ],
  "HEAD in chunks": [
    "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    /^HTTP\/1\.1 200 OK\r\n\r\n$/,
  ],
  "204": [
    get("/"),
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    /^HTTP\/1\.1 204 No Content\r\n\r\n$/,
  ],
  "204 in chunks": [
    get("/"),
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    /^HTTP\/1\.1 204 No Content\r\n\r\n$/,
  ],
  "205": [
    get("/"),
    "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello",
    /^HTTP\/1\.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n$/,
  ],
  "304": [
    get("/"),
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\nhello",
    /^HTTP\/1\.1 304 Not Modified\r\n(content-length: 5\r\n)?etag: x\r\n\r\n$/,
  ],
};
for (const [name, [ask, answer, expected]] of Object.entries(EMPTY)) {
  Deno.test(`an answer to ${name} has no content on the wire, whatever the backend sends`, async () => {
    await using backend = await startSaying(answer);
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    using wire = await Wire.connect(proxy);
    for (let i = 0; i < 2; i++) {
      await wire.send(ask);
      const { lines } = await wire.answer({ isHead: true });
      assert.match(`${lines.join("\r\n")}\r\n\r\n`, expected);
      assert.ok(await wire.isQuiet(), "nothing that would be read as the next answer");
    }
  });
}

Deno.test("100 Continue comes when a backend is there for the content, and not before", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  const ask =
    "POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  using wire = await Wire.connect(proxy);
  for (let i = 0; i < 2; i++) {
    await wire.send(ask);
    assert.equal((await wire.answer()).status, 100);
    await wire.send("hello");
    assert.equal((await wire.answer()).status, 200);
  }
  assert.deepEqual(backend.seen.map(({ body }) => body), ["hello", "hello"]);
  await using nobody = await startL7({ backend: "127.0.0.1:1" });
  using refused = await Wire.connect(nobody);
  await refused.send(ask);
  const { text, ending } = await refused.toEnd();
  assert.match(text, /^HTTP\/1\.1 502 .*\r\n(.+\r\n)*connection: close\r\n/, "no 100 before it");
  assert.equal(ending, "closed");
});

Deno.test("an answer that the backend cuts off does not look whole", async () => {
  const cut = async (ask: string, answer: string) => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => {
        socket.once("data", () => socket.end(answer));
        socket.on("end", () => socket.end());
      },
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    using wire = await Wire.connect(proxy);
    await wire.send(ask);
    return await wire.toEnd();
  };
  const length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
  assert.match((await cut(get("/"), length)).text, /content-length: 5\r\n\r\nhe$/);
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n";
  assert.match((await cut(get("/"), chunked)).text, /chunked\r\n\r\n2\r\nhe\r\n$/);
  // Here only the way in which the connection ends can tell.
  const { ending } = await cut("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", chunked);
  assert.notEqual(ending, "closed");
});
