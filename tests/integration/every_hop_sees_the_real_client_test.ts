import assert from "node:assert/strict";
import { join } from "node:path";
import { formatIp } from "../../lib/addr/mod.ts";
import { parseProxyHeader, type ProxyHeader } from "../../lib/proxyproto/mod.ts";
import { startEchoBackend, startRecordingBackend, startTlsBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { startHaproxy, startNginx } from "../support/foreign_servers.ts";
import { buildClientHello } from "../support/hello.ts";
import { startHttpBackend } from "../support/l7.ts";
import type { Peer } from "../support/peer.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { buildV2Header, proxyV1 } from "../support/proxy_header.ts";

/** The real client, which no hop but the first has a connection with. */
const CLIENT = "127.0.0.5";
/** Another one, which the origin blocks. */
const BLOCKED = "127.0.0.6";

const identity = await createServerIdentity("one.test", "two.test");
const hello = buildClientHello({ serverName: "one.test" });

/** Where a hop listens and what it does with PROXY headers. */
interface Hop {
  readonly addr?: string;
  readonly receives?: boolean;
  readonly sends?: boolean;
  readonly trusted?: readonly string[];
  readonly blocked?: readonly string[];
}

/** One proxy of a chain. */
function startHop(backend: string, hop: Hop) {
  return startProxy({
    config: {
      listeners: [{
        addr: hop.addr ?? "127.0.0.1:0",
        proxy_protocol: hop.receives ?? false,
        ...hop.trusted && { trusted_proxies: hop.trusted },
        routes: [{ hostname: "one.test", backend, send_proxy_protocol: hop.sends ?? false }],
      }],
      firewall: { blocked_ips: hop.blocked ?? [] },
    },
  });
}

/** The PROXY header at the start of what a backend received, and how long it is. */
function headerOf({ received }: Peer): ProxyHeader & { readonly size: number } {
  const result = parseProxyHeader(received);
  assert(result.kind === "ok", JSON.stringify(result));
  return { ...result.value, size: result.size };
}

function sourceOf(header: ProxyHeader): string {
  assert(header.source !== undefined);
  return formatIp(header.source.ip);
}

async function isReset(port: number, localAddress: string): Promise<boolean> {
  await using client = await connectRaw({ port, localAddress });
  client.end(hello);
  return (await client.readToEnd()).ending === "reset";
}

Deno.test("the origin's firewall decides on the client of the edge, not on the edge", async () => {
  await using backend = await startTlsBackend("origin", identity);
  await using origin = await startHop(backend.address, {
    receives: true,
    trusted: ["127.0.0.1"],
    blocked: [BLOCKED],
  });
  await using edge = await startHop(`127.0.0.1:${origin.port()}`, { sends: true });
  await using client = await connectTls({
    port: edge.port(),
    localAddress: CLIENT,
    servername: "one.test",
    ca: identity.ca,
  });
  assert.equal(await client.readText(7), "origin\n");
  client.end();
  assert.equal((await client.readToEnd()).ending, "end");
  assert.ok(await isReset(edge.port(), BLOCKED));
  const relayed = await origin.outcome("relayed");
  assert.match(String(relayed.client), new RegExp(`^${CLIENT}:\\d+$`));
  assert.match(String(relayed.peer), /^127\.0\.0\.1:/);
  const blocked = await origin.outcome("blocked");
  assert.match(String(blocked.client), new RegExp(`^${BLOCKED}:`));
  assert.match(String(blocked.rule), new RegExp(`^ip ${BLOCKED} `));
});

Deno.test("a third hop gets the first one's client and destination, and every octet once", async () => {
  await using backend = await startRecordingBackend();
  await using origin = await startHop(backend.address, { receives: true, sends: true });
  await using middle = await startHop(`127.0.0.1:${origin.port()}`, {
    receives: true,
    sends: true,
  });
  await using edge = await startHop(`127.0.0.1:${middle.port()}`, { sends: true });
  await using client = await connectRaw({ port: edge.port(), localAddress: CLIENT });
  const { localPort } = client.socket;
  client.end(hello);
  await client.readToEnd();
  const peer = await backend.connection();
  await peer.ending;
  const header = headerOf(peer);
  assert.equal(sourceOf(header), CLIENT);
  assert.equal(header.source?.port, localPort);
  assert.equal(header.destination?.port, edge.port());
  assert.deepEqual(peer.received.subarray(header.size), Buffer.from(hello));
  for (const hop of [edge, middle, origin]) {
    const { client: seen } = await hop.outcome("relayed");
    assert.equal(seen, `${CLIENT}:${localPort}`);
  }
});

Deno.test("an IPv4 client stays an IPv4 client over an IPv6 hop", async () => {
  await using backend = await startRecordingBackend();
  await using origin = await startHop(backend.address, {
    addr: "[::1]:0",
    receives: true,
    sends: true,
    trusted: ["::1"],
    blocked: [BLOCKED],
  });
  await using edge = await startHop(`[::1]:${origin.port()}`, { sends: true });
  await using client = await connectRaw({ port: edge.port(), localAddress: CLIENT });
  client.end(hello);
  await client.readToEnd();
  const peer = await backend.connection();
  await peer.ending;
  assert.equal(peer.received[13], 0x11, "TCP over IPv4");
  assert.equal(sourceOf(headerOf(peer)), CLIENT);
  assert.ok(await isReset(edge.port(), BLOCKED));
  await origin.outcome("blocked");
});

Deno.test("an IPv6 client stays one over an IPv4 hop", async () => {
  await using backend = await startRecordingBackend();
  await using origin = await startHop(backend.address, { receives: true, sends: true });
  await using edge = await startHop(`127.0.0.1:${origin.port()}`, { addr: "[::1]:0", sends: true });
  await using client = await connectRaw({ port: edge.port(), host: "::1" });
  client.end(hello);
  await client.readToEnd();
  const peer = await backend.connection();
  await peer.ending;
  assert.equal(peer.received[13], 0x21, "TCP over IPv6");
  assert.equal(sourceOf(headerOf(peer)), "::1");
});

Deno.test("a header that a client forges is refused at the edge, and by the origin", async () => {
  await using backend = await startEchoBackend();
  await using origin = await startHop(backend.address, { receives: true, trusted: ["127.0.0.1"] });
  await using edge = await startHop(`127.0.0.1:${origin.port()}`, { sends: true });
  for (const forged of [buildV2Header(), proxyV1("192.0.2.1", "192.0.2.2")]) {
    for (
      const [hop, outcome] of [[edge, "hello_invalid"], [origin, "proxy_untrusted"]] as const
    ) {
      const before = hop.events("connection").length;
      await using client = await connectRaw({ port: hop.port(), localAddress: CLIENT });
      client.end(Buffer.concat([forged, hello]));
      const { bytes, ending } = await client.readToEnd();
      assert.deepEqual([bytes.length, ending], [0, "reset"]);
      const event = await hop.outcome(outcome, before);
      assert.match(String(event.client), new RegExp(`^${CLIENT}:`), "its own address");
    }
  }
  assert.equal(backend.connections.length, 0);
});

Deno.test("an origin with l4 and l7 routes on one listener tells l7 backends the real client", async () => {
  await using backend = await startTlsBackend("passed through", identity);
  await using http = await startHttpBackend("http1", (request, response) => {
    response.end(String(request.headers["x-forwarded-for"]));
  });
  await using origin = await startProxy({
    files: { "one.pem": identity.certPem, "one.key": identity.keyPem },
    config: (folder) => ({
      listeners: [{
        addr: "127.0.0.1:0",
        proxy_protocol: true,
        trusted_proxies: ["127.0.0.1"],
        routes: [
          { hostname: "two.test", backend: backend.address },
          {
            hostname: "one.test",
            backend: http.address,
            mode: "l7",
            tls_cert: join(folder, "one.pem"),
            tls_key: join(folder, "one.key"),
          },
        ],
      }],
      metrics: { addr: "127.0.0.1:0" },
    }),
  });
  await using edge = await startProxy({
    config: {
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: "*.test",
          backend: `127.0.0.1:${origin.port()}`,
          send_proxy_protocol: true,
        }],
      }],
    },
  });
  const target = { port: edge.port(), localAddress: CLIENT, ca: identity.ca };
  await using l7 = await connectTls({ ...target, servername: "one.test" });
  await l7.write("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
  const { text } = await l7.readToEnd();
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.match(text, new RegExp(`\r\n${CLIENT}(\r\n|$)`));
  await using l4 = await connectTls({ ...target, servername: "two.test" });
  assert.equal(await l4.readText(15), "passed through\n");
  const scrape = await fetch(`http://127.0.0.1:${origin.events("metrics")[0]?.port}/metrics`);
  const metrics = await scrape.text();
  for (
    const line of [
      'mc_proxy_http_requests_total{route="one.test",status="2xx",protocol="http/1.1"} 1',
      'mc_proxy_http_request_duration_seconds_count{route="one.test"} 1',
      "mc_proxy_tls_handshake_seconds_count 1",
    ]
  ) assert.ok(metrics.split("\n").includes(line), `${line} in\n${metrics}`);
  assert.match(metrics, /\nmc_proxy_certificate_expiry_seconds\{file=".*one\.pem"\} \d+/);
});

testWithCommands(["haproxy"], "HAProxy as the edge: its v2 header names the client", async () => {
  await using backend = await startTlsBackend("origin", identity);
  await using origin = await startHop(backend.address, { receives: true, blocked: [BLOCKED] });
  const port = await unusedPort();
  await using _haproxy = await startHaproxy({
    port,
    config: `listen edge
  mode tcp
  bind 127.0.0.1:${port}
  server origin 127.0.0.1:${origin.port()} send-proxy-v2\n`,
  });
  await checkOrigin(port, origin);
});

testWithCommands(["nginx"], "nginx as the edge: its v1 header names the client", async () => {
  await using backend = await startTlsBackend("origin", identity);
  await using origin = await startHop(backend.address, { receives: true, blocked: [BLOCKED] });
  const port = await unusedPort();
  await using _nginx = await startNginx({
    port,
    config: `stream { server {
  listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${origin.port()}; proxy_protocol on;
} }\n`,
  });
  await checkOrigin(port, origin);
});

testWithCommands(["haproxy"], "HAProxy as the origin reads our v2 header", async () => {
  const port = await unusedPort();
  await using _haproxy = await startHaproxy({
    port,
    files: { "one.pem": identity.certPem + identity.keyPem },
    config: `listen origin
  mode http
  bind 127.0.0.1:${port} ssl crt %DIR%/one.pem accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port]"\n`,
  });
  await checkForeignOrigin(port);
});

testWithCommands(["nginx"], "nginx as the origin reads our v2 header", async () => {
  const port = await unusedPort();
  await using _nginx = await startNginx({
    port,
    files: { "one.pem": identity.certPem, "one.key": identity.keyPem },
    config: `http { access_log off; server {
  listen 127.0.0.1:${port} ssl proxy_protocol;
  ssl_certificate %DIR%/one.pem; ssl_certificate_key %DIR%/one.key;
  return 200 "$proxy_protocol_addr:$proxy_protocol_port";
} }\n`,
  });
  await checkForeignOrigin(port);
});

/** Through a foreign edge: one client is relayed, the other blocked, by their own addresses. */
async function checkOrigin(
  port: number,
  origin: Awaited<ReturnType<typeof startHop>>,
): Promise<void> {
  await using client = await connectTls({
    port,
    localAddress: CLIENT,
    servername: "one.test",
    ca: identity.ca,
  });
  const { localPort } = client.socket;
  assert.equal(await client.readText(7), "origin\n");
  client.end();
  await client.readToEnd();
  await using blocked = await connectRaw({ port, localAddress: BLOCKED });
  blocked.end(hello);
  assert.equal((await blocked.readToEnd()).bytes.length, 0);
  const { client: seen } = await origin.outcome("relayed");
  assert.equal(seen, `${CLIENT}:${localPort}`);
  await origin.outcome("blocked");
}

/** Through our edge: a foreign HTTPS origin answers with the address that it sees. */
async function checkForeignOrigin(port: number): Promise<void> {
  await using edge = await startHop(`127.0.0.1:${port}`, { sends: true });
  await using client = await connectTls({
    port: edge.port(),
    localAddress: CLIENT,
    servername: "one.test",
    ca: identity.ca,
  });
  const { localPort } = client.socket;
  client.end("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
  const { text } = await client.readToEnd();
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.ok(text.endsWith(`\r\n\r\n${CLIENT}:${localPort}`), text);
}
