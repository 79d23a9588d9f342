/** What is said where no request got to a route: in the words of the route that the SNI selected. */
import assert from "node:assert/strict";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { DEFAULT_HTTP_LIMITS } from "../../lib/l7/mod.ts";
import { eventually } from "../support/deadline.ts";
import { frame } from "../support/h2_raw.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const STATUSES = [400, 408, 413, 414, 421, 431, 501, 502, 503, 504, 505];
const PAGES = STATUSES.map((status) => ({
  status,
  body: `<p>${status}`,
  contentType: "text/html",
}));
const ROUTE = {
  backendProtocol: "http1",
  errorPages: PAGES,
  responseHeaders: { set: ["x-own: a"], remove: [] },
} as const;

const get = (line: string, ...fields: string[]) => [line, ...fields, "", ""].join("\r\n");
const host = `Host: ${HOST}`;

/** Requests that end before a backend; `routed`: the route's own fields are on the answer. */
const REFUSED: readonly {
  readonly name: string;
  readonly text: string;
  readonly status: number;
  readonly routed?: boolean;
  /** The connection goes on. */
  readonly stays?: boolean;
}[] = [
  { name: "without a host", text: get("GET / HTTP/1.1"), status: 400 },
  { name: "that is no HTTP", text: "\x16\x03\x01\r\n\r\n", status: 400 },
  {
    name: "of two lengths",
    text: get("GET / HTTP/1.1", host, "Content-Length: 1, 2"),
    status: 400,
  },
  { name: "of an endless target", text: get(`GET /${"x".repeat(9000)} HTTP/1.1`), status: 414 },
  {
    name: "of a large head",
    text: get("GET / HTTP/1.1", host, `x: ${"y".repeat(9000)}`),
    status: 431,
  },
  {
    name: "of an odd coding",
    text: get("POST / HTTP/1.1", host, "Transfer-Encoding: gzip"),
    status: 501,
  },
  { name: "of another protocol", text: get("GET / HTTP/9.1", host), status: 505 },
  {
    name: "for somebody else",
    text: get("GET / HTTP/1.1", "Host: b.test"),
    status: 421,
    stays: true,
  },
  {
    name: "for a tunnel",
    text: get(`CONNECT ${HOST}:443 HTTP/1.1`, host),
    status: 501,
    routed: true,
  },
  {
    name: "of an ambiguous field",
    text: get("GET / HTTP/1.1", host, "X_Forwarded_For: 1"),
    status: 400,
    routed: true,
    stays: true,
  },
  {
    name: "of a declared length above the limit",
    text: requestText("POST", "/", { body: "123456" }),
    status: 413,
    routed: true,
  },
  {
    name: "of chunks above the limit",
    text: get("POST / HTTP/1.1", host, "Transfer-Encoding: chunked") + "6\r\n123456\r\n0\r\n\r\n",
    status: 413,
    routed: true,
  },
  {
    name: "of broken chunks",
    text: get("POST / HTTP/1.1", host, "Transfer-Encoding: chunked") + "x\r\n",
    status: 400,
    routed: true,
  },
];

Deno.test("over HTTP/1.1 whatever is refused is said in the words of the SNI's route", async () => {
  await using backend = await startHttpBackend("http1", (request) => request.resume());
  await using proxy = await startL7({
    backend: backend.address,
    route: { ...ROUTE, maxRequestBody: 5 },
    settings: {
      l7: {
        h2Transport: "own",
        accessLog: true,
        limits: { ...DEFAULT_HTTP_LIMITS, maxRequestHead: 4096, headerTimeoutMs: 500 },
        errorPages: [{ status: 400, body: "for all", contentType: "text/plain" }],
      },
    },
  });
  for (const { name, text, status, routed = false, stays = false } of REFUSED) {
    using wire = await Wire.connect(proxy);
    await wire.send(text);
    const { lines, body, ...answer } = await wire.answer();
    assert.deepEqual([answer.status, body], [status, `<p>${status}`], name);
    for (
      const line of ["content-type: text/html", "cache-control: no-store"]
    ) {
      assert.ok(lines.includes(line), `${name}: ${line} in ${lines.join(", ")}`);
    }
    assert.equal(lines.includes("x-own: a"), routed, name);
    assert.equal(lines.includes("connection: close"), !stays, name);
    if (!stays) assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" }, name);
  }
  using late = await Wire.connect(proxy);
  await late.send("GET / HTTP/1.1\r\n");
  assert.equal((await late.answer()).body, "<p>408");
  using wire = await Wire.connect(proxy);
  await wire.send(get("HEAD / HTTP/1.1", host, `x: ${"y".repeat(9000)}`));
  const { lines } = await wire.answer({ isHead: true });
  assert.ok(lines.includes("content-length: 6"), "HEAD is told how long it would be");
  assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" });
});

const REQUEST = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];
const LARGE = Array.from({ length: 10 }, (_, i) => [`x-${i}`, "v".repeat(7000)]).flat();

Deno.test("over HTTP/2 a large header list is answered in the words of the SNI's route", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({ backend: backend.address, route: ROUTE });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(client.headers(1, [...REQUEST, ...LARGE], true));
  assert.equal(await client.answer(1), "431");
  await eventually(() => client.content(1) === "<p>431", "the content");
  const grpc = [...REQUEST, "content-type", "application/grpc", "te", "trailers"];
  await client.write(client.headers(3, [...grpc, ...LARGE], true));
  assert.equal(await client.answer(3), "200");
  assert.equal(client.content(3), "", "gRPC has trailers and no page");
  await client.write(client.headers(5, [":method", "HEAD", ...REQUEST.slice(2), ...LARGE], true));
  assert.equal(await client.answer(5), "431");
  assert.equal(client.content(5), "");
  // A request that goes on is told to stop, and the connection goes on.
  await client.write(client.headers(7, [...REQUEST, ...LARGE], false));
  await eventually(() => client.frames(7).at(-1)?.type === FrameType.rstStream, "the end of it");
  assert.deepEqual(client.content(7), "<p>431");
  assert.equal(client.frames(7).at(-1)?.payload[3], 0, "NO_ERROR");
  await client.write(frame(FrameType.data, FrameFlag.endStream, 7, new Uint8Array(10)));
  await client.write(client.headers(9, REQUEST, true));
  assert.equal(await client.answer(9), "200");
  await eventually(() => client.content(9) === "ok", "the next answer");
  const events = [await proxy.request(0), await proxy.request(1), await proxy.request(4)];
  assert.deepEqual(events.map(({ status }) => status), [431, 431, 200]);
});

Deno.test("over HTTP/2 a client that takes no content is waited for, and what is reset is reset", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({ backend: backend.address, route: ROUTE });
  await using client = await RawHttp2Client.connect(proxy.port);
  const initialWindow = new Uint8Array([0, 4, 0, 0, 0, 0]);
  await client.write(frame(FrameType.settings, 0, 0, initialWindow));
  await client.write(client.headers(1, [...REQUEST, ...LARGE], true));
  assert.equal(await client.answer(1), "431");
  assert.equal(client.content(1), "");
  await client.write(frame(FrameType.windowUpdate, 0, 1, new Uint8Array([0, 0, 0, 4])));
  await eventually(() => client.content(1) === "<p>4", "as much as it takes");
  // It leaves in the middle: nobody waits for the rest.
  await client.write(frame(FrameType.rstStream, 0, 1, new Uint8Array([0, 0, 0, 8])));
  await client.write(client.headers(3, [":method", "GET", "connection", "close"], true));
  assert.equal(await client.answer(3), "reset 1");
  assert.equal(client.content(3), "");
});
