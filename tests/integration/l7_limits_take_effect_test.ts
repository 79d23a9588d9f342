import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from "../../lib/l7/mod.ts";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { frame } from "../support/h2_raw.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { kernelOctets } from "../support/kernel_octets.ts";
import { HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HINT = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/** A backend that says `reply` to each read. */
function startReplying(reply: string | ((socket: Socket) => void)): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      const answer = typeof reply === "string" ? () => void socket.write(reply) : reply;
      socket.on("data", () => answer(socket));
      socket.on("end", () => socket.end());
    },
  });
}

function startLimited(backend: Backend, limits: Partial<HttpLimits>): Promise<TestPlane> {
  return startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
    settings: {
      l7: { h2Transport: "own", accessLog: true, limits: { ...DEFAULT_HTTP_LIMITS, ...limits } },
    },
  });
}

/** The fields of a plain request over HTTP/2. */
function request(path = "/", more: readonly string[] = [], method = "GET"): string[] {
  return [":method", method, ":scheme", "https", ":authority", HOST, ":path", path, ...more];
}

/** A request whose head over HTTP/1.1 has exactly so many octets. */
function headOf(octets: number): string {
  const text = (fill: string) => requestText("GET", "/", { fields: [`X-Fill: ${fill}`] });
  return text("x".repeat(octets - text("").length));
}

Deno.test("max_request_head holds over HTTP/1.1, at its last octet", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { maxRequestHead: 2048 });
  for (const [octets, status] of [[2048, 200], [2049, 431]] as const) {
    using wire = await Wire.connect(proxy);
    await wire.send(headOf(octets));
    assert.equal((await wire.answer()).status, status, `${octets} octets`);
  }
});

Deno.test("max_request_head holds over HTTP/2, at its last octet, and twice of it is the end", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { maxRequestHead: 2048 });
  const plain = request();
  let size = 0;
  for (let i = 0; i < plain.length; i += 2) {
    size += 32 + (plain[i] as string).length + (plain[i + 1] as string).length;
  }
  const filled = (octets: number) => ["x-fill", "x".repeat(octets - size - 32 - "x-fill".length)];
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(client.headers(1, request("/", filled(2048)), true));
  assert.equal(await client.answer(1), "200");
  await client.write(client.headers(3, request("/", filled(2049)), true));
  assert.equal(await client.answer(3), "431");
  await client.write(client.headers(5, request("/", filled(20_000)), true));
  await eventually(() => client.isGoingAway, "a GOAWAY");
});

Deno.test("max_fields holds over both versions", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { maxFields: 20 });
  for (const [count, status] of [[20, 200], [21, 431]] as const) {
    using wire = await Wire.connect(proxy);
    const fields = Array.from({ length: count - 1 }, (_, i) => `X-${i}: 1`);
    await wire.send(requestText("GET", "/", { fields })); // and Host
    assert.equal((await wire.answer()).status, status, `${count} fields`);
    await using client = await RawHttp2Client.connect(proxy.port);
    const more = Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]).flat();
    await client.write(client.headers(1, request("/", more), true));
    assert.equal(await client.answer(1), String(status), `${count} fields`);
  }
});

Deno.test("max_response_head and max_fields of a response are a 502 beyond, over both versions", async () => {
  const reply = (octets: number) => {
    const text = (fill: string) => `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ${fill}\r\n\r\n`;
    return text("x".repeat(octets - text("").length));
  };
  const many = (count: number) =>
    `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${"X: 1\r\n".repeat(count - 1)}\r\n`;
  const cases = [[reply(2048), 200], [reply(2049), 502], [many(20), 200], [many(21), 502]] as const;
  for (const [text, status] of cases) {
    await using backend = await startReplying(text);
    await using proxy = await startLimited(backend, { maxResponseHead: 2048, maxFields: 20 });
    using wire = await Wire.connect(proxy);
    await wire.send(requestText("GET", "/"));
    assert.equal((await wire.answer()).status, status);
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(client.headers(1, request(), true));
    assert.equal(await client.answer(1), String(status));
  }
});

for (const h2Transport of ["own", "node"] as const) {
  Deno.test(`max_response_head of a backend over HTTP/2 is a 502 beyond, framed by: ${h2Transport}`, async () => {
    const sizes = [2048, 2049, 8000, 2048];
    const rest = [":status", "200", "x"].reduce((sum, text) => sum + text.length, 2 * 32);
    let asked = 0;
    await using backend = await startHttpBackend("h2c", (_request, response) => {
      response.sendDate = false;
      const fill = "y".repeat(sizes[asked++] as number - rest);
      response.writeHead(200, { x: fill }).end();
    });
    const limits = { ...DEFAULT_HTTP_LIMITS, maxResponseHead: 2048 };
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "h2" },
      settings: { l7: { h2Transport, accessLog: true, limits } },
    });
    for (const octets of sizes) {
      using wire = await Wire.connect(proxy);
      await wire.send(requestText("GET", "/"));
      const { status } = await wire.answer();
      assert.equal(status, octets > 2048 ? 502 : 200, `an answer of ${octets} octets`);
    }
    assert.equal(asked, sizes.length, "none is asked for twice");
  });
}

Deno.test("max_trailers holds", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { maxTrailers: 256 });
  for (const [octets, status] of [[200, 200], [300, 400]] as const) {
    using wire = await Wire.connect(proxy);
    const head = `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    await wire.send(`${head}0\r\nETag: ${"x".repeat(octets)}\r\n\r\n`);
    const { status: got } = await wire.answer();
    assert.equal(got >= 400 ? 400 : got, status, `trailers of ${octets} octets`);
  }
});

Deno.test("max_chunk_overhead holds over all chunks of a message", async () => {
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      let seen = "";
      socket.on("data", (bytes: Uint8Array) => {
        seen += new TextDecoder().decode(bytes);
        if (seen.endsWith("0\r\n\r\n")) socket.write(OK);
      });
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startLimited(backend, { maxChunkOverhead: 1024 });
  for (const [chunks, status] of [[10, 200], [40, 400]] as const) {
    using wire = await Wire.connect(proxy);
    const head = `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `1;x="${"e".repeat(60)}"\r\nx\r\n`;
    await wire.send(`${head}${chunk.repeat(chunks)}0\r\n\r\n`);
    assert.equal((await wire.answer()).status, status, `${chunks} chunks`);
  }
});

Deno.test("header_timeout and keep_alive_timeout hold over HTTP/1.1", async () => {
  await using backend = await startReplying(OK);
  const limits = { headerTimeoutMs: 1000, keepAliveTimeoutMs: 3000 };
  await using proxy = await startLimited(backend, limits);
  using slow = await Wire.connect(proxy);
  using kept = await Wire.connect(proxy);
  await slow.send("GET / HTTP/1.1\r\nHost:");
  await kept.send(requestText("GET", "/"));
  assert.equal((await kept.answer()).status, 200);
  const answered = performance.now();
  assert.equal((await slow.answer()).status, 408);
  assert.equal((await kept.toEnd()).text, "");
  assert.ok(performance.now() - answered >= 2900, "it is the second one that the first waits for");
});

Deno.test("header_timeout holds over HTTP/2: for a preface and for a block without end", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { headerTimeoutMs: 1000 });
  await using client = await RawHttp2Client.connect(proxy.port);
  const [whole] = [client.headers(1, request(), true)];
  const part = frame(FrameType.headers, FrameFlag.endStream, 1, whole.subarray(9));
  await client.write(part);
  await eventually(() => client.isGoingAway, "a GOAWAY");
});

Deno.test("max_requests ends a connection after its last answer, over both versions", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startLimited(backend, { maxRequests: 3 });
  using wire = await Wire.connect(proxy);
  for (const closes of [false, false, true]) {
    await wire.send(requestText("GET", "/"));
    const { lines } = await wire.answer();
    assert.equal(lines.some((line) => /^connection: close$/i.test(line)), closes);
  }
  assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" });
  await using client = await RawHttp2Client.connect(proxy.port);
  for (const id of [1, 3, 5]) {
    assert.equal(client.isGoingAway, false);
    await client.write(client.headers(id, request(), true));
    // The last one's GOAWAY may come before its answer.
    await eventually(() => client.statuses(id).length > 0, "an answer");
    assert.deepEqual(client.statuses(id), ["200"]);
  }
  await eventually(() => client.isGoingAway, "a GOAWAY");
});

Deno.test("max_interim and max_interim_forwarded hold over both versions", async () => {
  for (const [count, last] of [[4, "200"], [5, "502"]] as const) {
    await using backend = await startReplying(HINT.repeat(count) + OK);
    await using proxy = await startLimited(backend, { maxInterim: 4, maxInterimForwarded: 2 });
    using wire = await Wire.connect(proxy);
    await wire.send(requestText("GET", "/"));
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push(String((await wire.answer()).status));
    assert.deepEqual(statuses, ["103", "103", last]);
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(client.headers(1, request(), true));
    await eventually(() => client.statuses(1).length >= 3, "an answer");
    assert.deepEqual(client.statuses(1), ["103", "103", last]);
  }
});

Deno.test("content_buffer is what a connection over HTTP/1.1 holds of an upload", async () => {
  const held: number[] = [];
  for (const contentBuffer of [16_384, 1_048_576]) {
    // It answers nothing and reads nothing beyond what was there at first.
    await using backend = await startReplying((socket) => void socket.pause());
    await using proxy = await startLimited(backend, { contentBuffer });
    using wire = await Wire.connect(proxy);
    await wire.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000000\r\n\r\n`);
    let sent = 0;
    const sending = (async () => {
      const piece = new Uint8Array(16_384);
      for (; sent < 1e8; sent += piece.length) await wire.send(piece);
    })().catch(() => {});
    let before = -1;
    await eventually(async () => {
      const still = before === sent && sent > 0;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return still;
    }, "the upload stops");
    held.push(sent - await kernelOctets(proxy.port, backend.port));
    const peer = await backend.connection();
    await peer[Symbol.asyncDispose]();
    wire[Symbol.dispose]();
    await sending;
  }
  const [small = 0, large = 0] = held;
  // On top of each comes what one read brings and what the client's own socket holds.
  assert.ok(large - small > 512 * 1024, `${small} and ${large} octets are held`);
});

Deno.test("[l7.limits] of the file reach the workers", async () => {
  await using backend = await startReplying(OK);
  await using proxy = await startL7Proxy({
    backend: backend.address,
    route: () => ({ backend_protocol: "http1" }),
    more: () => ({ l7: { limits: { max_request_head: "1KiB", max_requests: 2 } } }),
  });
  const at = { port: proxy.port() };
  using long = await Wire.connect(at);
  await long.send(headOf(1025));
  assert.equal((await long.answer()).status, 431);
  using wire = await Wire.connect(at);
  for (let i = 0; i < 2; i++) {
    await wire.send(headOf(1024));
    assert.equal((await wire.answer()).status, 200);
  }
  assert.equal((await wire.toEnd()).ending, "closed");
});
