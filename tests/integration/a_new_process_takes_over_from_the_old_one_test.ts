import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPorts } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });

interface Setting {
  readonly folder: string;
  readonly start: (options?: { takeOver?: boolean }) => Promise<Proxy>;
  readonly socket: string;
  readonly port: number;
  readonly metricsPort: number;
}

/** A folder and a configuration that several processes share, with nothing running yet. */
async function withSetting(use: (setting: Setting) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  await using backend = await startEchoBackend();
  const [port = 0, metricsPort = 0] = await unusedPorts(2);
  const socket = join(folder, "admin.sock");
  const config = {
    server: { workers: 2 },
    proxy: { shutdown_timeout: "20s" },
    grpc: { addr: socket },
    metrics: { addr: `127.0.0.1:${metricsPort}` },
    listeners: [{
      addr: `127.0.0.1:${port}`,
      routes: [{ hostname: "a.test", backend: backend.address }],
    }],
  };
  const start = (options = {}) => startProxy({ folder, config, ...options });
  try {
    await use({ folder, start, socket, port, metricsPort });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How many sockets listen on a port of 127.0.0.1: proc(5), `local_address` and `st`. */
async function listeningOn(port: number): Promise<number> {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await Deno.readTextFile("/proc/net/tcp")).split("\n");
  return lines.filter((line) => line.includes(` ${address} 00000000:0000 0A `)).length;
}

async function isServed(port: number): Promise<boolean> {
  await using client = await connectRaw({ port });
  client.end(hello);
  return (await client.readToEnd()).bytes.length === hello.length;
}

Deno.test("a new process takes port, admin socket and metrics; the old one ends what it began", async () => {
  await withSetting(async ({ start, socket, port, metricsPort }) => {
    await using old = await start();
    const each = await listeningOn(port);
    assert.ok(each > 0);
    await using client = await connectRaw({ port });
    await client.write(hello);
    await client.read(hello.length);
    await using next = await start({ takeOver: true });
    const stopped = old.stop();
    await eventually(() => old.events("draining").length === 1, "the old process drains");
    // Connections in the queue of a socket that is being closed are the kernel's to reset, unless
    // net.ipv4.tcp_migrate_req is 1 (RUNBOOK.md).
    await eventually(async () => await listeningOn(port) === each, "it listens no more");
    for (let i = 0; i < 20; i++) assert.ok(await isServed(port), "by the new process");
    await using admin = createClient({ socketPath: socket });
    const { status } = await admin.getStatus({});
    assert.equal(status?.activeConnections, 0, "the new process answers");
    const scrape = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    assert.match(await scrape.text(), /\nmc_proxy_listener_active_connections\{.*\} 0\n/);
    await admin.addRoute({ listenerAddr: `127.0.0.1:${port}`, hostname: "b.test", backend: "x:1" });
    await client.write("last words");
    assert.equal(await client.readText(10), "last words");
    client.end();
    assert.equal((await client.readToEnd()).ending, "end");
    assert.equal(await stopped, 0);
    assert.equal((await admin.listRoutes({ listenerAddr: `127.0.0.1:${port}` })).routes.length, 2);
    admin.close();
    assert.equal(await next.stop(), 0);
    await assert.rejects(Deno.stat(socket), Deno.errors.NotFound);
  });
});

Deno.test("a process that was not told to take over leaves the running one alone", async () => {
  await withSetting(async ({ start, socket, port }) => {
    await using running = await start();
    await assert.rejects(
      start(),
      /ended with code 1: .*another process answers on the admin socket/s,
    );
    await using admin = createClient({ socketPath: socket });
    assert.equal((await admin.getStatus({})).status?.healthy, true);
    await admin.addRoute({ listenerAddr: `127.0.0.1:${port}`, hostname: "b.test", backend: "x:1" });
    assert.ok(await isServed(port));
    admin.close();
    assert.equal(await running.stop(), 0);
    const taken = running.process.lines.filter((line) => line.includes("has taken over"));
    assert.deepEqual(taken, [], "its right to write was never taken");
  });
});
