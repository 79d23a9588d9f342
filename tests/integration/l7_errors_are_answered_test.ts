import assert from "node:assert/strict";
import { startBackend, startSilentBackend } from "../support/backends.ts";
import { issueExpired } from "../support/certificates.ts";
import { CLIENTS, connectHttp2, HOST, identity, startHttpBackend, startL7 } from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const GRPC = { "content-type": "application/grpc", te: "trailers" };
const FRONTS = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];

for (const front of FRONTS) {
  Deno.test(`an unreachable backend is 502 over ${front}`, async () => {
    await using proxy = await startL7({ backend: `127.0.0.1:${await unusedPort()}` });
    await using client = await CLIENTS[front](proxy);
    const { status, body } = await client.ask();
    assert.deepEqual([status, body], [502, "502 Bad Gateway\n"]);
    assert.match((await proxy.request()).reason ?? "", /cannot connect|refused/i);
    // The connection goes on: the next request is answered, too.
    assert.equal((await client.ask({ method: "POST", body: "content" })).status, 502);
  });

  Deno.test(`a backend that does not answer in time is 504 over ${front}`, async () => {
    await using backend = await startSilentBackend();
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
      settings: { idleTimeoutMs: 300 },
    });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).status, 504);
  });

  Deno.test(`a backend that answers in something else is 502 over ${front}`, async () => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => {
        socket.on("data", () => socket.end("220 mail.test ESMTP ready\r\n"));
      },
    });
    await using proxy = await startL7({ backend: backend.address });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).status, 502);
  });

  Deno.test(`a host of another route is 421 over ${front}`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => response.end("a"));
    await using other = await startHttpBackend("http1", (_, response) => response.end("b"));
    await using proxy = await startL7({
      backend: backend.address,
      moreRoutes: [
        { hostname: "*.wild.test", backend: other.address, mode: "l7" },
        { hostname: "exact.wild.test", backend: backend.address, mode: "l7" },
      ],
    });
    await using client = await CLIENTS[front](proxy);
    for (const authority of ["b.test", "exact.wild.test", "127.0.0.1", "a.test.evil"]) {
      assert.equal((await client.ask({ authority })).status, 421, authority);
    }
    for (const authority of [HOST, "A.Test", "a.test.", `a.test:${proxy.port}`]) {
      assert.equal((await client.ask({ authority })).status, 200, authority);
    }
    // Names below one wildcard share a route; an exact name below it does not.
    await using wild = await CLIENTS[front]({ port: proxy.port, serverName: "one.wild.test" });
    assert.equal((await wild.ask({ authority: "two.wild.test" })).body, "b");
    assert.equal((await wild.ask({ authority: "exact.wild.test" })).status, 421);
    assert.equal((await wild.ask({ authority: "wild.test" })).status, 421);
  });

  Deno.test(`what a policy refuses is 403 over ${front}, and logged with its id`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
    await using proxy = await startL7({
      backend: backend.address,
      policies: [
        { id: 7, type: "block_user_agent", value: "/evil(bot|crawler)/" },
        { id: 8, type: "require_header", value: "x-api-key" },
      ],
    });
    await using client = await CLIENTS[front](proxy);
    const key = { "x-api-key": "k" };
    const bot = await client.ask({ headers: { ...key, "user-agent": "EvilBot/1.0" } });
    assert.deepEqual([bot.status, bot.body], [403, "403 Forbidden\n"]);
    assert.equal((await client.ask({ headers: { "x-api-key": "" } })).status, 403);
    assert.equal((await client.ask({ headers: key })).status, 200);
    assert.equal((await proxy.request(0)).policy, "block_user_agent /evil(bot|crawler)/ (#7)");
    assert.equal((await proxy.request(1)).policy, "require_header x-api-key (#8)");
    assert.equal(backend.connections <= 2, true, "refused requests open no connection");
  });
}

Deno.test("a header list that is too large is 431 over h2, and the connection goes on", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  const request = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];
  const large = Array.from({ length: 10 }, (_, i) => [`x-${i}`, "v".repeat(7000)]).flat();
  await client.write(client.headers(1, [...request, ...large], true));
  assert.equal(await client.answer(1), "431");
  await client.write(client.headers(3, request, true));
  assert.equal(await client.answer(3), "200");
});

Deno.test("errors of gRPC requests are trailers-only answers with a grpc-status", async () => {
  await using proxy = await startL7({
    backend: `127.0.0.1:${await unusedPort()}`,
    moreRoutes: [],
    policies: [{ id: 1, type: "block_user_agent", value: "bot" }],
  });
  await using client = await connectHttp2(proxy);
  const unavailable = await client.ask({ method: "POST", headers: GRPC, body: "x" });
  assert.deepEqual([unavailable.status, unavailable.headers["grpc-status"]], [200, "14"]);
  const refused = await client.ask({ method: "POST", headers: { ...GRPC, "user-agent": "bot" } });
  assert.deepEqual([refused.status, refused.headers["grpc-status"]], [200, "7"]);
});

Deno.test("a backend that dies in the middle of its answer resets the stream", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("half");
    setTimeout(() => response.destroy(), 50);
  });
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectHttp2(proxy);
  await assert.rejects(client.ask(), /NGHTTP2_INTERNAL_ERROR|closed|aborted/i);
  const { status, reason } = await proxy.request();
  assert.equal(status, 200);
  assert.match(reason ?? "", /backend/);
});

Deno.test("backend certificates are checked when the route says so", async () => {
  const { authority, certPem, keyPem } = await identity();
  const expired = await issueExpired(authority, { dnsNames: [HOST], usages: ["server"] });
  const tls = { certPem, keyPem };
  const cases = [
    { name: "unknown authority", server: tls, ca: undefined, serverName: HOST, status: 502 },
    { name: "right", server: tls, ca: authority.certPem, serverName: HOST, status: 200 },
    { name: "wrong name", server: tls, ca: authority.certPem, serverName: "z.test", status: 502 },
    { name: "no name", server: tls, ca: authority.certPem, serverName: "", status: 502 },
    { name: "expired", server: expired, ca: authority.certPem, serverName: HOST, status: 502 },
  ];
  for (const { name, server, ca, serverName, status } of cases) {
    await using backend = await startHttpBackend(
      "http1-tls",
      (_, response) => response.end("ok"),
      { pair: server },
    );
    await using proxy = await startL7({
      backend: backend.address,
      route: {
        backendTls: true,
        backendTlsVerify: true,
        backendServerName: serverName,
        backendCa: "ca.pem",
      },
      ...ca !== undefined && { backendCaPem: ca },
    });
    await using client = await connectHttp2(proxy);
    assert.equal((await client.ask()).status, status, name);
  }
});

Deno.test("an expired backend certificate is taken when the route does not ask to check", async () => {
  const { authority } = await identity();
  const expired = await issueExpired(authority, { dnsNames: [HOST], usages: ["server"] });
  await using backend = await startHttpBackend(
    "h2-tls",
    (_, response) => response.end("ok"),
    { pair: expired },
  );
  await using proxy = await startL7({ backend: backend.address, route: { backendTls: true } });
  await using client = await connectHttp2(proxy);
  assert.equal((await client.ask()).status, 200);
});
