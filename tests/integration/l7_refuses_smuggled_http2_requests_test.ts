import assert from "node:assert/strict";
import { ErrorCode, FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { DEFAULT_FIELD_SETTINGS } from "../../lib/l7/mod.ts";
import { frame } from "../support/h2_raw.ts";
import { seenValues, startL7, startSeeingBackend } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const pseudo = (changes: Record<string, string> = {}) =>
  Object.entries({
    ":method": "POST",
    ":scheme": "https",
    ":authority": "a.test",
    ":path": "/",
    ...changes,
  }).flat();

const HIDDEN = "\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n";

/** Requests that would be two, or other ones, when they are written as HTTP/1.1. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "a line end in a value": [...pseudo(), "x-a", `1${HIDDEN}`],
  "a carriage return in a value": [...pseudo(), "x-a", "1\rx-b: 2"],
  "a line feed in a value": [...pseudo(), "x-a", "1\ntransfer-encoding: chunked"],
  "a NUL in a value": [...pseudo(), "x-a", "1\0"],
  "a space before a value": [...pseudo(), "x-a", " 1"],
  "a space after a value": [...pseudo(), "x-a", "1 "],
  "a line end in a name": [...pseudo(), "x-a: 1\r\nx-b", "2"],
  "a colon in a name": [...pseudo(), "transfer-encoding: chunked", "x"],
  "a space in a name": [...pseudo(), "transfer-encoding ", "chunked"],
  "an upper-case name": [...pseudo(), "Transfer-Encoding", "chunked"],
  "an empty name": [...pseudo(), "", "x"],
  "Transfer-Encoding": [...pseudo(), "transfer-encoding", "chunked"],
  "Connection": [...pseudo(), "connection", "close"],
  "Upgrade": [...pseudo(), "upgrade", "h2c"],
  "Keep-Alive": [...pseudo(), "keep-alive", "timeout=5"],
  "Proxy-Connection": [...pseudo(), "proxy-connection", "close"],
  "TE other than trailers": [...pseudo(), "te", "gzip"],
  "a line end in the path": pseudo({ ":path": `/ HTTP/1.1${HIDDEN}` }),
  "a space in the path": pseudo({ ":path": "/a HTTP/1.1" }),
  "a fragment in the path": pseudo({ ":path": "/#/../admin" }),
  "a path that is no path": pseudo({ ":path": "http://b.test/" }),
  "an empty path": pseudo({ ":path": "" }),
  "a line end in the method": pseudo({ ":method": `GET / HTTP/1.1${HIDDEN}` }),
  "a space in the method": pseudo({ ":method": "GET /hidden" }),
  "a line end in the authority": pseudo({ ":authority": "a.test\r\nx-a: 1" }),
  "user information in the authority": pseudo({ ":authority": "user@a.test" }),
  "a Host that differs from the authority": [...pseudo(), "host", "b.test"],
  "two Content-Lengths": [...pseudo(), "content-length", "1", "content-length", "2"],
  "an odd Content-Length": [...pseudo(), "content-length", "+1"],
  "a pseudo-header after a field": [...pseudo().slice(0, 6), "x-a", "1", ":path", "/"],
  "two paths": [...pseudo(), ":path", "/hidden"],
  "an unknown pseudo-header": [...pseudo(), ":host", "b.test"],
  "a response's pseudo-header": [...pseudo(), ":status", "200"],
};

for (const [name, fields] of Object.entries(REFUSED)) {
  Deno.test(`an HTTP/2 request with ${name} never reaches an HTTP/1.1 backend`, async () => {
    await using backend = await startSeeingBackend();
    await using proxy = await startL7({ backend: backend.address });
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(client.headers(1, fields, true));
    assert.match(await client.answer(1), new RegExp(`^(reset|goaway) ${ErrorCode.protocolError}$`));
    assert.deepEqual(backend.seen, []);
  });
}

const CONTENT: Readonly<Record<string, string>> = {
  "more content than it declared": "hello, world",
  "less content than it declared": "hi",
};
for (const [name, content] of Object.entries(CONTENT)) {
  Deno.test(`an HTTP/2 request with ${name} does not leave a rest to the next one`, async () => {
    await using backend = await startSeeingBackend();
    await using proxy = await startL7({ backend: backend.address });
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(
      client.headers(1, [...pseudo(), "content-length", "5"], false),
      frame(FrameType.data, FrameFlag.endStream, 1, new TextEncoder().encode(content)),
    );
    assert.match(await client.answer(1), /^(reset|goaway) /);
    await client.write(client.headers(3, pseudo({ ":method": "GET", ":path": "/next" }), true));
    assert.equal(await client.answer(3), "200");
    assert.equal(backend.seen.at(-1)?.path, "/next");
    assert.equal(backend.seen.at(-1)?.body, "");
  });
}

Deno.test("a plain CONNECT over HTTP/2 is refused, and its content goes nowhere", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(
    client.headers(1, [":method", "CONNECT", ":authority", "a.test:443"], false),
    frame(FrameType.data, 0, 1, new TextEncoder().encode(HIDDEN)),
  );
  assert.equal(await client.answer(1), "501");
  assert.deepEqual(backend.seen, []);
});

Deno.test("a request with the preface's method never reaches a backend", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(client.headers(1, pseudo({ ":method": "PRI", ":path": "/" }), true));
  assert.equal(await client.answer(1), "501");
  assert.deepEqual(backend.seen, []);
});

Deno.test("an extended CONNECT for anything but WebSocket is refused", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  const fields = pseudo({ ":method": "CONNECT", ":protocol": "connect-udp" });
  await client.write(client.headers(1, fields, false));
  assert.equal(await client.answer(1), "501");
  assert.deepEqual(backend.seen, []);
});

Deno.test("content of unknown length goes to HTTP/1.1 in chunks, and stays content", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  const content = `0\r\n\r\n${HIDDEN}`;
  await client.write(
    client.headers(1, pseudo(), false),
    frame(FrameType.data, FrameFlag.endStream, 1, new TextEncoder().encode(content)),
  );
  assert.equal(await client.answer(1), "200");
  assert.deepEqual(backend.seen.map(({ path, body }) => [path, body]), [["/", content]]);
});

Deno.test("a field named __proto__ is a field like others, where underscores are allowed", async () => {
  await using backend = await startSeeingBackend();
  const fields = { ...DEFAULT_FIELD_SETTINGS, refuseUnderscores: false };
  await using proxy = await startL7({
    backend: backend.address,
    settings: { l7: { h2Transport: "own", accessLog: true, fields } },
  });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(
    client.headers(
      1,
      [...pseudo({ ":method": "GET" }), "__proto__", "x", "constructor", "y"],
      true,
    ),
  );
  assert.equal(await client.answer(1), "200");
  const [request] = backend.seen;
  assert.ok(request !== undefined);
  assert.deepEqual(seenValues(request, "__proto__"), ["x"]);
  assert.deepEqual(seenValues(request, "constructor"), ["y"]);
});

Deno.test("cookies that HTTP/2 sent apart reach HTTP/1.1 as one field", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  const cookies = ["cookie", "a=1", "cookie", "b=2"];
  await client.write(client.headers(1, [...pseudo({ ":method": "GET" }), ...cookies], true));
  assert.equal(await client.answer(1), "200");
  const [request] = backend.seen;
  assert.ok(request !== undefined);
  assert.deepEqual(seenValues(request, "cookie"), ["a=1; b=2"]);
});

Deno.test("trailers over HTTP/2 cannot pretend to be fields of the head", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(
    client.headers(1, pseudo(), false),
    frame(FrameType.data, 0, 1, new TextEncoder().encode("hello")),
    client.headers(1, ["x-checksum", "1", "authorization", "x", "x-forwarded-for", "y"], true),
  );
  assert.equal(await client.answer(1), "200");
  assert.deepEqual(backend.seen[0]?.trailers, ["x-checksum", "1"]);
});
