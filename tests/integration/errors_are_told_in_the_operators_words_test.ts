/** What clients are told of errors that are the proxy's own. */
import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { curl, CURL_VERSIONS } from "../support/curl.ts";
import { buildClientHello } from "../support/hello.ts";
import { CLIENTS, startHttpBackend, startL7 } from "../support/l7.ts";
import { startPlane } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

const html = "text/html; charset=utf-8";
const ALL = [
  { status: 502, body: "<h1>any route", contentType: html },
  { status: 421, body: "<h1>elsewhere", contentType: html },
  { status: 503, body: "<h1>down", contentType: html },
];
const L7 = { h2Transport: "own", accessLog: true, errorPages: ALL } as const;

for (const version of CURL_VERSIONS) {
  testWithCommands(
    ["curl"],
    `curl ${version} reads the route's words, then those of all routes, then ours`,
    async () => {
      await using proxy = await startL7({
        backend: `127.0.0.1:${await unusedPort()}`,
        route: { errorPages: [{ status: 502, body: "{}", contentType: "application/json" }] },
        policies: [{ id: 1, type: "block_user_agent", value: "bot" }],
        moreRoutes: [{ hostname: "b.test", mode: "l7", backend: "", maintenance: true }],
        settings: { l7: L7 },
      });
      const own = await curl(proxy, version);
      assert.deepEqual([own.status, own.body, own.fields.get("content-type")], [
        502,
        "{}",
        "application/json",
      ]);
      assert.equal(own.fields.get("cache-control"), "no-store");
      const all = await curl(proxy, version, "-H", "Host: b.test");
      assert.deepEqual([all.status, all.body, all.fields.get("content-type")], [
        421,
        "<h1>elsewhere",
        html,
      ]);
      assert.equal((await curl(proxy, version, "-A", "bot")).body, "403 Forbidden\n");
      const head = await curl(proxy, version, "-I");
      assert.deepEqual([head.status, head.body, head.fields.get("content-length")], [502, "", "2"]);
    },
  );
}

for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
  Deno.test(`over ${front} gRPC keeps its trailers, a backend its own errors, and fields stay`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => {
      response.writeHead(503, { "content-type": "text/plain" });
      response.end("the backend's");
    });
    await using proxy = await startL7({ backend: backend.address, settings: { l7: L7 } });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).body, "the backend's");
    await using down = await startL7({
      backend: "",
      route: { maintenance: true },
      settings: { l7: L7 },
    });
    await using other = await CLIENTS[front](down);
    const page = await other.ask();
    assert.deepEqual([page.status, page.body, page.headers["retry-after"]], [
      503,
      "<h1>down",
      "60",
    ]);
    const grpc = await other.ask({
      method: "POST",
      headers: { "content-type": "application/grpc" },
    });
    assert.deepEqual([grpc.status, grpc.body, grpc.headers["grpc-status"]], [200, "", "14"]);
  });
}

Deno.test("what is reset is reset, whatever pages there are", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address, errorPages: ALL }],
    settings: { l7: L7 },
  });
  for (const hello of [buildClientHello({ serverName: "x.test" }), buildClientHello({})]) {
    await using client = await connectRaw({ port: plane.port });
    await client.write(hello);
    const { bytes, ending } = await client.readToEnd();
    assert.deepEqual([bytes.length, ending], [0, "reset"]);
  }
});
