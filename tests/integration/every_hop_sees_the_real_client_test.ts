import assert from "node:assert/strict";
import { join } from "node:path";
import { formatIp } from "../../lib/addr/mod.ts";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { parseProxyHeader, type ProxyHeader } from "../../lib/proxyproto/mod.ts";
import { startEchoBackend, startRecordingBackend, startTlsBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { commandExists } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { startHaproxy, startNginx } from "../support/foreign_servers.ts";
import { buildClientHello } from "../support/hello.ts";
import { startHttpBackend } from "../support/l7.ts";
import type { Peer } from "../support/peer.ts";
import { unusedPort } from "../support/ports.ts";
import { type LogEvent, type Proxy, startProxy } from "../support/proxy.ts";
import { buildV2Header, proxyV1 } from "../support/proxy_header.ts";

/** The real client, which no hop but the first has a connection with. */
const CLIENT = "127.0.0.5";
/** Another one, which the origin blocks. */
const BLOCKED = "127.0.0.6";

const identity = await createServerIdentity("one.test", "two.test");
const hello = buildClientHello({ serverName: "one.test" });

/** Where a hop listens and what it does with PROXY headers. */
interface HopSettings {
  readonly host?: string;
  readonly receives?: boolean;
  readonly sends?: boolean;
  readonly trusted?: readonly string[];
}

/** A proxy to which hops of chains are added: a start for each hop would be half a second each. */
class Hops implements AsyncDisposable {
  readonly #proxy: Proxy;
  readonly #client: AdminClient;

  private constructor(proxy: Proxy, client: AdminClient) {
    this.#proxy = proxy;
    this.#client = client;
  }

  /** One whose firewall blocks these clients. */
  static async start(...blocked: readonly string[]): Promise<Hops> {
    const proxy = await startProxy({
      config: (folder) => ({
        grpc: { addr: join(folder, "admin.sock") },
        firewall: { blocked_ips: blocked },
        // One that nobody asks: without any it does not start.
        listeners: [{ addr: "127.0.0.1:0" }],
      }),
    });
    return new Hops(proxy, createClient({ socketPath: join(proxy.folder, "admin.sock") }));
  }

  /** One more, which leads to this backend. */
  async add(backend: string, settings: HopSettings = {}): Promise<Hop> {
    const { host = "127.0.0.1", receives = false, sends = false, trusted = [] } = settings;
    const port = await unusedPort();
    const addr = `${host}:${port}`;
    await this.#client.addListener({ addr, proxyProtocol: receives, trustedProxies: [...trusted] });
    const route = { listenerAddr: addr, hostname: "one.test", backend };
    await this.#client.addRoute({ ...route, sendProxyProtocol: sends });
    return new Hop(this.#proxy, addr, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.#proxy[Symbol.asyncDispose]();
  }
}

/** One proxy of a chain: a listener, and what is logged of its connections. */
class Hop {
  constructor(readonly proxy: Proxy, readonly addr: string, readonly port: number) {}

  /** What was logged of its connections so far. */
  connections(): LogEvent[] {
    return this.proxy.events("connection").filter(({ listener }) => listener === this.addr);
  }

  /** Waits for the end of the first connection with this outcome after so many of all. */
  async outcome(outcome: string, after = 0): Promise<LogEvent> {
    const find = () => this.connections().slice(after).find((it) => it.outcome === outcome);
    await eventually(() => find() !== undefined, `outcome ${outcome} at ${this.addr}`);
    const event = find();
    assert.ok(event);
    return event;
  }
}

/** Adds a hop that blocks nobody, as an edge does, or one that blocks {@link BLOCKED}. */
interface Chain {
  readonly edge: (backend: string, settings?: HopSettings) => Promise<Hop>;
  readonly origin: (backend: string, settings?: HopSettings) => Promise<Hop>;
}

const claims: [name: string, missing: readonly string[], fn: (chain: Chain) => Promise<void>][] =
  [];

/** A claim about chains, which is a step of one test: all have the same two programs. */
function claim(
  name: string,
  fn: (chain: Chain) => Promise<void>,
  commands: readonly string[] = [],
) {
  claims.push([name, commands.filter((command) => !commandExists(command)), fn]);
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

claim("the origin's firewall decides on the client of the edge, not on the edge", async (chain) => {
  await using backend = await startTlsBackend("origin", identity);
  const origin = await chain.origin(backend.address, { receives: true, trusted: ["127.0.0.1"] });
  const edge = await chain.edge(origin.addr, { sends: true });
  await using client = await connectTls({
    port: edge.port,
    localAddress: CLIENT,
    servername: "one.test",
    ca: identity.ca,
  });
  assert.equal(await client.readText(7), "origin\n");
  client.end();
  assert.equal((await client.readToEnd()).ending, "end");
  assert.ok(await isReset(edge.port, BLOCKED));
  const relayed = await origin.outcome("relayed");
  assert.match(String(relayed.client), new RegExp(`^${CLIENT}:\\d+$`));
  assert.match(String(relayed.peer), /^127\.0\.0\.1:/);
  const blocked = await origin.outcome("blocked");
  assert.match(String(blocked.client), new RegExp(`^${BLOCKED}:`));
  assert.match(String(blocked.rule), new RegExp(`^ip ${BLOCKED} `));
});

claim(
  "a third hop gets the first one's client and destination, and every octet once",
  async (chain) => {
    await using backend = await startRecordingBackend();
    const origin = await chain.origin(backend.address, { receives: true, sends: true });
    const middle = await chain.edge(origin.addr, { receives: true, sends: true });
    const edge = await chain.edge(middle.addr, { sends: true });
    await using client = await connectRaw({ port: edge.port, localAddress: CLIENT });
    const { localPort } = client.socket;
    client.end(hello);
    await client.readToEnd();
    const peer = await backend.connection();
    await peer.ending;
    const header = headerOf(peer);
    assert.equal(sourceOf(header), CLIENT);
    assert.equal(header.source?.port, localPort);
    assert.equal(header.destination?.port, edge.port);
    assert.deepEqual(peer.received.subarray(header.size), Buffer.from(hello));
    for (const hop of [edge, middle, origin]) {
      const { client: seen } = await hop.outcome("relayed");
      assert.equal(seen, `${CLIENT}:${localPort}`);
    }
  },
);

claim("an IPv4 client stays an IPv4 client over an IPv6 hop", async (chain) => {
  await using backend = await startRecordingBackend();
  const origin = await chain.origin(backend.address, {
    host: "[::1]",
    receives: true,
    sends: true,
    trusted: ["::1"],
  });
  const edge = await chain.edge(origin.addr, { sends: true });
  await using client = await connectRaw({ port: edge.port, localAddress: CLIENT });
  client.end(hello);
  await client.readToEnd();
  const peer = await backend.connection();
  await peer.ending;
  assert.equal(peer.received[13], 0x11, "TCP over IPv4");
  assert.equal(sourceOf(headerOf(peer)), CLIENT);
  assert.ok(await isReset(edge.port, BLOCKED));
  await origin.outcome("blocked");
});

claim("an IPv6 client stays one over an IPv4 hop", async (chain) => {
  await using backend = await startRecordingBackend();
  const origin = await chain.origin(backend.address, { receives: true, sends: true });
  const edge = await chain.edge(origin.addr, { host: "[::1]", sends: true });
  await using client = await connectRaw({ port: edge.port, host: "::1" });
  client.end(hello);
  await client.readToEnd();
  const peer = await backend.connection();
  await peer.ending;
  assert.equal(peer.received[13], 0x21, "TCP over IPv6");
  assert.equal(sourceOf(headerOf(peer)), "::1");
});

claim("a header that a client forges is refused at the edge, and by the origin", async (chain) => {
  await using backend = await startEchoBackend();
  const origin = await chain.origin(backend.address, { receives: true, trusted: ["127.0.0.1"] });
  const edge = await chain.edge(origin.addr, { sends: true });
  for (const forged of [buildV2Header(), proxyV1("192.0.2.1", "192.0.2.2")]) {
    for (
      const [hop, outcome] of [[edge, "hello_invalid"], [origin, "proxy_untrusted"]] as const
    ) {
      const before = hop.connections().length;
      await using client = await connectRaw({ port: hop.port, localAddress: CLIENT });
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

claim("HAProxy as the edge: its v2 header names the client", async (chain) => {
  await using backend = await startTlsBackend("origin", identity);
  const origin = await chain.origin(backend.address, { receives: true });
  const port = await unusedPort();
  await using _haproxy = await startHaproxy({
    port,
    config: `listen edge
  mode tcp
  bind 127.0.0.1:${port}
  server origin ${origin.addr} send-proxy-v2\n`,
  });
  await checkOrigin(port, origin);
}, ["haproxy"]);

claim("nginx as the edge: its v1 header names the client", async (chain) => {
  await using backend = await startTlsBackend("origin", identity);
  const origin = await chain.origin(backend.address, { receives: true });
  const port = await unusedPort();
  await using _nginx = await startNginx({
    port,
    config: `stream { server {
  listen 127.0.0.1:${port}; proxy_pass ${origin.addr}; proxy_protocol on;
  proxy_half_close on;
} }\n`,
  });
  await checkOrigin(port, origin);
}, ["nginx"]);

claim("HAProxy as the origin reads our v2 header", async (chain) => {
  const port = await unusedPort();
  await using _haproxy = await startHaproxy({
    port,
    files: { "one.pem": identity.certPem + identity.keyPem },
    config: `listen origin
  mode http
  bind 127.0.0.1:${port} ssl crt %DIR%/one.pem accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port]"\n`,
  });
  await checkForeignOrigin(chain, port);
}, ["haproxy"]);

claim("nginx as the origin reads our v2 header", async (chain) => {
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
  await checkForeignOrigin(chain, port);
}, ["nginx"]);

/** Through a foreign edge: one client is relayed, the other blocked, by their own addresses. */
async function checkOrigin(
  port: number,
  origin: Hop,
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
async function checkForeignOrigin(chain: Chain, port: number): Promise<void> {
  const edge = await chain.edge(`127.0.0.1:${port}`, { sends: true });
  await using client = await connectTls({
    port: edge.port,
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

Deno.test("every hop of a chain sees the real client", async (t) => {
  await using edges = await Hops.start();
  await using origins = await Hops.start(BLOCKED);
  const chain: Chain = {
    edge: (...hop) => edges.add(...hop),
    origin: (...hop) => origins.add(...hop),
  };
  for (const [name, missing, fn] of claims) {
    const why = missing.length > 0 ? ` (ignored: no ${missing.join(", ")} here)` : "";
    await t.step({ name: name + why, ignore: missing.length > 0, fn: () => fn(chain) });
  }
});
