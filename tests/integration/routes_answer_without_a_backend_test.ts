/**
 * Maintenance and fixed answers: whatever a client asks, and however, it is answered rightly, and no
 * backend hears of it.
 */
import assert from "node:assert/strict";
import { FrameType } from "../../lib/h2/mod.ts";
import { eventually } from "../support/deadline.ts";
import { CLIENTS, connectHttp2, HOST, identity, startHttpBackend, startL7 } from "../support/l7.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";
import { startAdmin } from "../support/admin.ts";
import { testWithCommands } from "../support/commands.ts";
import { curl, CURL_VERSIONS } from "../support/curl.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { runCtl } from "../support/mcproxyctl.ts";

const GRPC = { "content-type": "application/grpc", te: "trailers" };
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];
const PAGE = { status: 200, body: "<p>ok", contentType: "text/html", retryAfterMs: 1500 };

function value(lines: readonly string[], name: string): string | undefined {
  return lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 2);
}

Deno.test("maintenance answers everything 503, over every protocol, and asks no backend", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("up"));
  await using proxy = await startL7({
    backend: backend.address,
    route: { maintenance: true },
    policies: [{ id: 1, type: "require_header", value: "x-key" }],
  });
  for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
    await using client = await CLIENTS[front](proxy);
    const got = await client.ask();
    assert.deepEqual([got.status, got.body], [503, "503 Service Unavailable\n"]);
    assert.equal(got.headers["retry-after"], "60");
    assert.equal(got.headers["cache-control"], "no-store");
    const head = await client.ask({ method: "HEAD" });
    assert.deepEqual([head.status, head.body, head.headers["content-length"]], [503, "", "24"]);
    assert.equal((await client.ask({ method: "POST", body: "x".repeat(1000) })).status, 503);
    const grpc = await client.ask({
      method: "POST",
      headers: { "content-type": GRPC["content-type"] },
    });
    assert.deepEqual([grpc.status, grpc.headers["grpc-status"]], [200, "14"]);
  }
  assert.equal((await proxy.request()).reason, "maintenance");
  assert.equal(backend.connections, 0);
});

Deno.test("a fixed answer is what the operator wrote, and nothing where there is no content", async () => {
  await using proxy = await startL7({ backend: "", route: { respond: PAGE } });
  for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
    await using client = await CLIENTS[front](proxy);
    const { status, body, headers } = await client.ask();
    assert.deepEqual([status, body, headers["content-type"]], [200, "<p>ok", "text/html"]);
    assert.deepEqual([headers["retry-after"], headers["content-length"]], ["2", "5"]);
  }
  await using empty = await startL7({
    backend: "",
    route: { respond: { status: 204, body: "", contentType: "text/plain" } },
  });
  using wire = await Wire.connect(empty);
  await wire.send(requestText("GET", "/"));
  const { status, lines } = await wire.answer();
  assert.equal(status, 204);
  assert.deepEqual([value(lines, "content-length"), value(lines, "content-type")], [
    undefined,
    undefined,
  ]);
  await wire.send(requestText("GET", "/again"));
  assert.equal((await wire.answer()).status, 204, "the connection goes on");
});

Deno.test("content that nobody reads ends a connection over HTTP/1.1, after the answer", async () => {
  await using proxy = await startL7({ backend: "", route: { respond: PAGE } });
  {
    // It waits for a 100, which does not come.
    using wire = await Wire.connect(proxy);
    const fields = ["Expect: 100-continue", "Content-Length: 5"];
    await wire.send(requestText("POST", "/", { fields }));
    assert.equal((await wire.answer()).status, 200);
    assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" });
  }
  {
    // The content never comes to its end: the answer does not wait for it.
    using wire = await Wire.connect(proxy);
    await wire.send(
      requestText("POST", "/", { fields: ["Transfer-Encoding: chunked"] }) + "3\r\nabc\r\n",
    );
    assert.equal((await wire.answer()).status, 200);
    assert.equal((await wire.toEnd()).ending, "closed");
  }
});

for (const version of CURL_VERSIONS) {
  testWithCommands(
    ["curl"],
    `curl ${version} hears of maintenance, over HTTP/1.1 while it sends a file`,
    async () => {
      using folder = temporaryFolder();
      const file = `${folder.path}/large`;
      await Deno.writeFile(file, new Uint8Array(1_000_000));
      await using proxy = await startL7({ backend: "", route: { maintenance: true } });
      // curl 7.88 takes the reset without an error that follows over HTTP/2 for the loss of the answer.
      const uploads = version === "--http2" ? [] : ["Expect:", "Expect: 100-continue"];
      for (const expect of uploads) {
        const { status, fields } = await curl(proxy, version, "-T", file, "-H", expect);
        assert.deepEqual([status, fields.get("retry-after")], [503, "60"]);
      }
      const head = await curl(proxy, version, "-I");
      assert.deepEqual([head.status, head.body], [503, ""]);
    },
  );
}

Deno.test("over HTTP/2 content that nobody reads is answered whole, then reset without an error", async () => {
  await using proxy = await startL7({ backend: "", route: { maintenance: true } });
  await using client = await RawHttp2Client.connect(proxy.port);
  const fields = [":method", "PUT", ":scheme", "https", ":authority", HOST, ":path", "/"];
  await client.write(client.headers(1, fields, false));
  await eventually(() => client.frames(1).at(-1)?.type === FrameType.rstStream, "the reset");
  assert.deepEqual(client.statuses(1), ["503"]);
  assert.equal(client.content(1), "503 Service Unavailable\n");
  assert.deepEqual([...client.frames(1).at(-1)?.payload ?? []], [0, 0, 0, 0], "NO_ERROR");
});

Deno.test("a fixed success opens no tunnel", async () => {
  await using proxy = await startL7({ backend: "", route: { respond: PAGE } });
  using wire = await Wire.connect(proxy);
  await wire.send(requestText("GET", "/", { fields: UPGRADE }));
  assert.equal((await wire.answer()).status, 501);
  await using client = await RawHttp2Client.connect(proxy.port);
  const connect = [":method", "CONNECT", ":protocol", "websocket", ":scheme", "https"];
  await client.write(client.headers(1, [...connect, ":authority", HOST, ":path", "/"], false));
  assert.equal(await client.answer(1), "501");
  await using down = await startL7({ backend: "", route: { respond: { ...PAGE, status: 503 } } });
  using refused = await Wire.connect(down);
  await refused.send(requestText("GET", "/", { fields: UPGRADE }));
  assert.equal((await refused.answer()).status, 503);
});

Deno.test("mcproxyctl sets maintenance at run time, by hostname, and says which listener if it must", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("up"));
  await using admin = await startAdmin();
  const { client, addr, folder } = admin;
  const { certPem, keyPem } = await identity();
  const [tlsCert, tlsKey] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  const route = { hostname: HOST, backend: backend.address, mode: "l7", tlsCert, tlsKey };
  await client.addRoute({ listenerAddr: addr, ...route, description: "the shop" });
  await using http = await connectHttp2({ port: admin.port });
  assert.equal((await http.ask()).body, "up");
  const on = await runCtl(admin, ["routes", "maintenance", HOST, "on"]);
  assert.deepEqual([on.code, on.stdout], [0, `maintenance of ${addr} ${HOST} is on\n`]);
  // On the connection that is open.
  assert.equal((await http.ask()).status, 503);
  const { steps } = await client.explain({ clientIp: "192.0.2.1", listenerAddr: addr, sni: HOST });
  assert.ok(steps.includes("maintenance: every request is answered 503"), steps.join("\n"));
  const { entries } = await client.getAuditLog({});
  assert.equal(JSON.parse(entries[0]?.after ?? "{}").maintenance, true);
  assert.equal((await runCtl(admin, ["routes", "maintenance", HOST, "off"])).code, 0);
  assert.equal((await http.ask()).body, "up");
  const { route: kept } = await client.getRoute({ listenerAddr: addr, hostname: HOST });
  assert.deepEqual([kept?.maintenance, kept?.description], [false, "the shop"]);
  const unknown = await runCtl(admin, ["routes", "maintenance", "x.test", "on"]);
  assert.match(unknown.stderr, /no listener has a route x\.test/);
  assert.notEqual(unknown.code, 0);
});
