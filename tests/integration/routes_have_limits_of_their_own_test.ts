/** How much of a route one client, or all of them, may have. */
import assert from "node:assert/strict";
import { Permits } from "../../lib/observe/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import { startEchoBackend, startSilentBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { curl, CURL_VERSIONS } from "../support/curl.ts";
import { eventually } from "../support/deadline.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { frame } from "../support/h2_raw.ts";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { buildClientHello } from "../support/hello.ts";
import { CLIENTS, HOST, startHttpBackend, startL7, startSeeingBackend } from "../support/l7.ts";
import { memoryOf } from "../support/limited_route.ts";
import { listenerOf, routeOf, startPlane } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";
import { startAdmin } from "../support/admin.ts";

const HELLO = buildClientHello({ serverName: "a.test" });
const FRONTS = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];

/** A connection of a client whose hello has come back from the backend. */
async function open(port: number, localAddress = "127.0.0.1") {
  const client = await connectRaw({ port, localAddress });
  await client.write(HELLO);
  return client;
}

Deno.test("max_connections of a route holds for it alone, and a connection that ends makes room", async () => {
  await using backend = await startEchoBackend();
  const memory = memoryOf({});
  const limited = { backend: backend.address, maxConnections: 2, memory };
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", ...limited }, { hostname: "b.test", backend: backend.address }],
  });
  const first = await open(plane.port);
  await first.read(HELLO.length);
  const second = await open(plane.port, "127.0.0.2");
  await second.read(HELLO.length);
  {
    await using third = await open(plane.port, "127.0.0.3");
    assert.equal((await third.readToEnd()).ending, "reset");
  }
  const { outcome, reason } = await plane.event();
  assert.equal(outcome, "too_many_connections");
  assert.match(reason ?? "", /the route has as many/);
  {
    await using other = await connectRaw({ port: plane.port });
    other.end(buildClientHello({ serverName: "b.test" }));
    assert.ok((await other.readToEnd()).bytes.length > 0, "another route is not full");
  }
  await first[Symbol.asyncDispose]();
  await eventually(() => new Permits(memory.connections as SharedArrayBuffer).active === 1, "room");
  await using again = await open(plane.port);
  await again.read(HELLO.length);
  await second[Symbol.asyncDispose]();
});

Deno.test("a worker that dies gives back what its connections held of a route", async () => {
  await using backend = await startEchoBackend();
  const memory = memoryOf({});
  const route = { hostname: "a.test", backend: backend.address, maxConnections: 8, memory };
  const port = await unusedPort();
  const pool = await WorkerPool.start(2, {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [listenerOf(port, { routes: [routeOf(route)] })],
  }, { onEvent: () => {}, log: () => {} });
  try {
    const permits = new Permits(memory.connections as SharedArrayBuffer);
    const clients = await Promise.all(Array.from({ length: 8 }, () => open(port)));
    await eventually(() => permits.active === 8, "all are counted");
    for (const worker of [0, 1]) pool.replace(worker, "test");
    await eventually(() => permits.active === 0, "none is left");
    for (const client of clients) await client[Symbol.asyncDispose]();
    await eventually(() => pool.status().workers.every(({ state }) => state === "serving"), "both");
    await using client = await open(port);
    await client.read(HELLO.length);
    assert.equal(permits.active, 1);
  } finally {
    await pool.drain(0);
  }
});

Deno.test("connections of one client over the route's rate are reset, those of others are not", async () => {
  await using backend = await startEchoBackend();
  const rate = { connections: 2, perMs: 3_600_000 };
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address, rate, memory: memoryOf({ rate }) }],
  });
  const isTaken = async (address: string) => {
    await using client = await connectRaw({ port: plane.port, localAddress: address });
    client.end(HELLO);
    return (await client.readToEnd()).ending !== "reset";
  };
  const mine = [];
  for (let i = 0; i < 3; i++) mine.push(await isTaken("127.0.0.1"));
  assert.deepEqual(mine, [true, true, false]);
  assert.equal(await isTaken("127.0.0.2"), true);
  const refused = plane.events.find(({ outcome }) => outcome === "rate_limited");
  assert.equal(refused?.rule, "rate_limit of a.test");
});

for (const front of FRONTS) {
  Deno.test(`requests over the route's rate are 429 with Retry-After over ${front}, and no backend hears of them`, async () => {
    await using backend = await startSeeingBackend();
    const rate = { requests: 2, perMs: 3_600_000 };
    await using proxy = await startL7({
      backend: backend.address,
      route: { rate, memory: memoryOf({ rate }) },
    });
    await using client = await CLIENTS[front](proxy);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await client.ask()).status);
    assert.deepEqual(statuses, [200, 200, 429]);
    const { headers } = await client.ask();
    assert.ok(Number(headers["retry-after"]) > 3500, String(headers["retry-after"]));
    const grpc = await client.ask({
      method: "POST",
      headers: { "content-type": "application/grpc" },
    });
    assert.equal(grpc.headers["grpc-status"], "14");
    await using other = await CLIENTS[front]({ port: proxy.port, localAddress: "127.0.0.9" });
    if (front === "h2") assert.equal((await other.ask()).status, 200);
    assert.equal(backend.seen.length, front === "h2" ? 3 : 2);
  });

  Deno.test(`an l7 route's idle_timeout is its own over ${front}`, async () => {
    await using backend = await startSilentBackend();
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1", idleTimeoutMs: 300 },
      settings: { idleTimeoutMs: 3_600_000 },
    });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).status, 504);
  });
}

Deno.test("an l4 route's idle_timeout is its own", async () => {
  await using backend = await startSilentBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address, idleTimeoutMs: 200 }],
    settings: { idleTimeoutMs: 3_600_000 },
  });
  await using client = await open(plane.port);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "idle_timeout");
});

Deno.test("content as long as it may be passes, one octet more is 413, declared or not", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address, route: { maxRequestBody: 10 } });
  for (const [body, status] of [["x".repeat(10), 200], ["x".repeat(11), 413]] as const) {
    using declared = await Wire.connect(proxy);
    await declared.send(requestText("POST", "/", { body }));
    assert.equal((await declared.answer()).status, status);
    using chunked = await Wire.connect(proxy);
    const head = requestText("POST", "/", { fields: ["Transfer-Encoding: chunked"] });
    await chunked.send(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    assert.equal((await chunked.answer()).status, status);
    await using client = await RawHttp2Client.connect(proxy.port);
    const fields = [":method", "POST", ":scheme", "https", ":authority", HOST, ":path", "/"];
    const bytes = new TextEncoder().encode(body);
    await client.write(
      client.headers(1, fields, false),
      frame(FrameType.data, 0, 1, bytes.subarray(0, 9)),
      frame(FrameType.data, FrameFlag.endStream, 1, bytes.subarray(9)),
    );
    assert.equal(await client.answer(1), String(status));
    // Octet by octet, to the one too many.
    const pieces = [...bytes].map((_, i) =>
      frame(
        FrameType.data,
        i === bytes.length - 1 ? FrameFlag.endStream : 0,
        3,
        bytes.subarray(i, i + 1),
      )
    );
    await client.write(client.headers(3, fields, false), ...pieces);
    assert.equal(await client.answer(3), String(status));
  }
  assert.deepEqual(
    new Set(backend.seen.map(({ body }) => body).filter((body) => body.length > 10)),
    new Set(),
  );
});

Deno.test("content that grows too long after the backend has answered breaks the answer off", async () => {
  await using backend = await startHttpBackend("h2c", (request, response) => {
    response.writeHead(200);
    response.write("early");
    request.resume();
  });
  await using proxy = await startL7({ backend: backend.address, route: { maxRequestBody: 10 } });
  await using client = await RawHttp2Client.connect(proxy.port);
  const fields = [":method", "POST", ":scheme", "https", ":authority", HOST, ":path", "/"];
  await client.write(client.headers(1, fields, false));
  await eventually(() => client.content(1) === "early", "the backend's answer");
  await client.write(frame(FrameType.data, 0, 1, new Uint8Array(11)));
  await eventually(() => client.frames(1).at(-1)?.type === FrameType.rstStream, "the reset");
  assert.equal((await proxy.request()).reason, "the content is over max_request_body");
});

for (const version of CURL_VERSIONS) {
  testWithCommands(
    ["curl"],
    `curl ${version} sees the fields that an operator sets and removes`,
    async () => {
      await using backend = await startSeeingBackend();
      await using quiet = await startHttpBackend("http1", (_, response) => {
        response.setHeader("server", "old/1.0");
        response.setHeader("x-frame-options", "ALLOWALL");
        response.setHeader("strict-transport-security", "max-age=1");
        response.end("ok");
      });
      const route = {
        responseHeaders: { set: ["x-frame-options: DENY", "x-new: a: b"], remove: ["server"] },
        requestHeaders: { set: ["authorization: Bearer inner"], remove: ["cookie"] },
        hsts: "180d",
      };
      await using proxy = await startL7({ backend: quiet.address, route });
      const { status, fields } = await curl(proxy, version);
      assert.deepEqual(
        [status, fields.get("x-frame-options"), fields.get("x-new"), fields.get("server")],
        [200, "DENY", "a: b", undefined],
      );
      assert.equal(fields.get("strict-transport-security"), "max-age=1", "the backend's stands");
      await using seeing = await startL7({ backend: backend.address, route });
      const seen = await curl(seeing, version, "-H", "Cookie: a=b", "-H", "Authorization: Basic x");
      assert.equal(seen.fields.get("strict-transport-security"), "max-age=15552000");
      const raw = backend.seen[0]?.raw.map((it) => it.toLowerCase()) ?? [];
      assert.equal(raw.includes("cookie"), false);
      assert.deepEqual(raw.filter((_, i) => raw[i - 1] === "authorization"), ["bearer inner"]);
      // The proxy's own answers too.
      await using down = await startL7({ backend: "", route: { ...route, maintenance: true } });
      const page = await curl(down, version);
      assert.deepEqual(
        [
          page.status,
          page.fields.get("x-frame-options"),
          page.fields.get("strict-transport-security"),
        ],
        [503, "DENY", "max-age=15552000"],
      );
    },
  );
}

Deno.test("limits count on when a route is changed, and explain says how full they are", async () => {
  await using backend = await startEchoBackend();
  await using admin = await startAdmin();
  const { client, addr: listenerAddr, port } = admin;
  const route = { hostname: "a.test", backend: backend.address };
  const rateLimit = { connections: 3, per: { seconds: 3600n, nanos: 0 } };
  await client.addRoute({ listenerAddr, ...route, maxConnections: 2, rateLimit });
  await using first = await open(port);
  await first.read(HELLO.length);
  await client.updateRoute({
    listenerAddr,
    route: { hostname: "a.test", description: "changed", maxConnections: 1 },
    updateMask: { paths: ["description", "max_connections"] },
  });
  await using second = await open(port);
  assert.equal((await second.readToEnd()).ending, "reset");
  const explain = () => client.explain({ clientIp: "127.0.0.1", listenerAddr, sni: "a.test" });
  const full = await explain();
  assert.deepEqual([full.verdict, full.outcome], ["block", "too_many_connections"]);
  assert.ok(
    full.steps.includes("route: 1 of at most 1 connections are open"),
    full.steps.join("\n"),
  );
  assert.ok(full.steps.includes("rate limit of the route: 2 of at most 3 new connections"));
  await using third = await open(port);
  assert.equal((await third.readToEnd()).ending, "reset");
  assert.equal((await explain()).outcome, "rate_limited");
});
