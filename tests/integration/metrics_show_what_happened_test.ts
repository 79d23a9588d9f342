import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { unusedPort } from "../support/ports.ts";

/** A proxy with one l4 route, metrics, and a block rule for 127.0.0.9. */
async function startMeasured(backend: string, metrics = "127.0.0.1:0"): Promise<Proxy> {
  return await startProxy({
    config: {
      listeners: [{ addr: "127.0.0.1:0", routes: [{ hostname: "a.test", backend }] }],
      firewall: { blocked_cidrs: ["127.0.0.9/32"] },
      metrics: { addr: metrics },
    },
  });
}

function metricsUrl(proxy: Proxy, path: string): string {
  return `http://127.0.0.1:${proxy.events("metrics")[0]?.port}${path}`;
}

async function scrape(proxy: Proxy): Promise<string> {
  const response = await fetch(metricsUrl(proxy, "/metrics"));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return await response.text();
}

/** The value of a series, written as Prometheus writes it. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split("\n").find((line) => line.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function exchange(port: number, serverName: string, localAddress = "127.0.0.1") {
  const hello = buildClientHello({ serverName });
  await using client = await connectRaw({ port, localAddress });
  client.end(hello);
  await client.readToEnd();
  return hello.length;
}

Deno.test("metrics tell outcomes, bytes, blocks and durations apart by listener and mode", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startMeasured(backend.address);
  const port = proxy.port();
  const size = await exchange(port, "a.test");
  await exchange(port, "stranger.test");
  await exchange(port, "a.test", "127.0.0.9");
  const listener = `listener="127.0.0.1:0"`;
  let text = "";
  await eventually(async () => {
    text = await scrape(proxy);
    return valueOf(text, "mc_proxy_accepted_connections_total") === 3 &&
      valueOf(text, `mc_proxy_listener_active_connections{${listener}}`) === 0;
  }, "three connections have ended");
  const l4 = `${listener},mode="l4"`;
  const none = `${listener},mode="none"`;
  for (
    const [series, value] of [
      [`mc_proxy_connections_total{${l4},outcome="relayed"}`, 1],
      [`mc_proxy_connections_total{${none},outcome="no_route"}`, 1],
      [`mc_proxy_connections_total{${none},outcome="blocked"}`, 1],
      [`mc_proxy_bytes_total{${l4},direction="in"}`, size],
      [`mc_proxy_bytes_total{${l4},direction="out"}`, size],
      [`mc_proxy_blocked_connections_total{rule="cidr"}`, 1],
      [`mc_proxy_blocked_connections_total{rule="ip"}`, 0],
      [`mc_proxy_connection_duration_seconds_count{mode="l4"}`, 1],
      [`mc_proxy_connection_duration_seconds_bucket{mode="none",le="+Inf"}`, 2],
      ["mc_proxy_client_hello_seconds_count", 2],
      ["mc_proxy_backend_connect_seconds_count", 1],
      [`mc_proxy_workers{state="serving"}`, 1],
      ["mc_proxy_worker_restarts_total", 0],
      ["mc_proxy_healthy", 1],
      ["mc_proxy_database_writable", 1],
    ] as const
  ) assert.equal(valueOf(text, series), value, series);
  assert.doesNotMatch(text, /stranger|127\.0\.0\.9/, "what clients send is no label");
  assert.ok((valueOf(text, "process_resident_memory_bytes") ?? 0) > 1e6);
});

testWithCommands(["promtool"], "promtool finds nothing to complain about", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startMeasured(backend.address);
  await exchange(proxy.port(), "a.test");
  const file = join(proxy.folder, "metrics.txt");
  await Deno.writeTextFile(file, await scrape(proxy));
  const { code, stdout, stderr } = await runCommand("sh", [
    "-c",
    'promtool check metrics < "$0"',
    file,
  ]);
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});

Deno.test("/healthz answers 200 while serving; other paths and methods are refused", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startMeasured(backend.address);
  for (
    const [method, path, status] of [
      ["GET", "/healthz", 200],
      ["HEAD", "/healthz", 200],
      ["GET", "/", 404],
      ["GET", "/metrics/x", 404],
      ["POST", "/metrics", 405],
    ] as const
  ) {
    const response = await fetch(metricsUrl(proxy, path), { method });
    assert.equal(response.status, status, `${method} ${path}`);
    const body = await response.text();
    if (path === "/healthz" && method === "GET") assert.equal(body, "serving\n");
  }
});

Deno.test("metrics go over a Unix socket of mode 0600, which goes with the process", async () => {
  await using backend = await startEchoBackend();
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "metrics.sock");
    await Deno.writeTextFile(path, "left over");
    const proxy = await startProxy({
      folder,
      config: {
        listeners: [{ addr: "127.0.0.1:0", routes: [{ hostname: "a", backend: backend.address }] }],
        metrics: { addr: path },
      },
    });
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    const text = await readUnix(
      path,
      "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /\nmc_proxy_healthy 1\n/);
    assert.equal(await proxy.stop(), 0);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a metrics address that is taken is one line and exit 1", async () => {
  await using backend = await startEchoBackend();
  const port = await unusedPort();
  using _holder = Deno.listen({ hostname: "127.0.0.1", port });
  await assert.rejects(
    startMeasured(backend.address, `127.0.0.1:${port}`),
    /ended with code 1: .*mc-proxy: cannot serve metrics at 127\.0\.0\.1:\d+: /s,
  );
});

async function readUnix(path: string, request: string): Promise<string> {
  const socket = connect({ path });
  let text = "";
  socket.on("data", (chunk) => text += chunk);
  const ended = Promise.withResolvers<void>();
  socket.on("error", ended.reject).on("close", () => ended.resolve());
  socket.write(request);
  await withinDeadline(ended.promise, "the answer ends");
  return text;
}
