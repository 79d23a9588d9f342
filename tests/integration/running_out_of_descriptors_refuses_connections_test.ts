import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { readUsage, socketsReturnTo } from "../support/leaks.ts";
import type { Peer } from "../support/peer.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** Enough for the program itself with two workers, and some connections. */
const MAX_DESCRIPTORS = 256;
/** More than that, each of which needs two. */
const CLIENTS = 300;

const hello = buildClientHello({ serverName: "a.test" });
const ignore = Deno.build.os !== "linux";

async function startLimited(backend: string, maxConnections = 0): Promise<Proxy> {
  return await startProxy({
    maxDescriptors: MAX_DESCRIPTORS,
    config: (folder) => ({
      server: { workers: 2 },
      grpc: { addr: join(folder, "admin.sock") },
      metrics: { addr: "127.0.0.1:0" },
      listeners: [{
        addr: "127.0.0.1:0",
        max_connections: maxConnections,
        routes: [{ hostname: "a.test", backend }],
      }],
    }),
  });
}

/** What a load balancer is told. */
async function healthOf(proxy: Proxy): Promise<string> {
  const [metrics] = proxy.events("metrics");
  return await (await fetch(`http://127.0.0.1:${metrics?.port}/healthz`)).text();
}

/** Whether a connection is accepted, routed and relayed both ways. */
async function isServed(port: number): Promise<boolean> {
  try {
    await using client = await connectRaw({ port });
    client.end(hello);
    return (await client.readToEnd()).bytes.length === hello.length;
  } catch {
    return false;
  }
}

for (const sends of ["nothing", "a hello"] as const) {
  Deno.test({
    name: `clients that send ${sends} and want more descriptors than there are get a RST at once`,
    ignore,
    async fn() {
      await using backend = await startEchoBackend();
      await using proxy = await startLimited(backend.address);
      const port = proxy.port();
      assert.ok(await isServed(port));
      const before = await readUsage(proxy.pid);
      using admin = createClient({ socketPath: join(proxy.folder, "admin.sock") });
      await using stack = new AsyncDisposableStack();
      const clients: Peer[] = [];
      const reset = new Set<Peer>();
      for (let i = 0; i < CLIENTS; i++) {
        const client = stack.use(await connectRaw({ port }));
        client.ending.then((how) => how === "reset" && reset.add(client));
        if (sends === "a hello") client.socket.write(hello);
        clients.push(client);
      }
      // Everybody is either served or told; nobody hangs.
      let served = 0;
      await eventually(() => {
        const held = clients.filter((client) => !reset.has(client));
        const [refused, late] = ["no_descriptors", "hello_timeout"].map((outcome) =>
          proxy.events("connection").filter((it) => it.outcome === outcome).length
        );
        // On a busy machine it takes seconds until all are here: who says nothing is not kept so long.
        if (sends === "nothing") served = CLIENTS - Number(refused);
        else served = CLIENTS - reset.size;
        return Number(refused) > 150 &&
          Number(refused) + (sends === "nothing" ? Number(late) : 0) === reset.size &&
          (sends === "nothing" || held.every(({ received }) => received.length === hello.length));
      }, "every client is served or refused");
      assert(served > 20, "some are served");
      // What is kept for it lets the operator in.
      for (let i = 0; i < 5; i++) {
        using another = createClient({ socketPath: join(proxy.folder, "admin.sock") });
        assert.equal((await another.getStatus({})).status?.healthy, true);
      }
      const hostname = `b${sends.length}.test`;
      await admin.addRoute({ listenerAddr: "127.0.0.1:0", hostname, backend: backend.address });
      await eventually(() => {
        const lines = proxy.events("connections refused: descriptors are short");
        return lines.length === 1 && Number(lines[0]?.refused) > 0;
      }, "the log says so, once, with a count");
      admin.close();
      await stack.disposeAsync();
      await socketsReturnTo(proxy.pid, before);
      for (let i = 0; i < 20; i++) assert.ok(await isServed(port), "by every worker");
      assert.deepEqual(proxy.events("worker died"), []);
      assert.equal(await proxy.stop(), 0);
    },
  });
}

Deno.test({
  name: "a limit of open files below max_connections is told at the start",
  ignore,
  async fn() {
    await using backend = await startEchoBackend();
    await using proxy = await startLimited(backend.address, 1000);
    const warned = () => proxy.events("the limit of open files is low");
    await eventually(() => warned().length === 1, "the log says so");
    assert.equal(warned()[0]?.max_connections, 1000);
    const possible = Number(warned()[0]?.connections);
    using client = createClient({ socketPath: join(proxy.folder, "admin.sock") });
    assert.equal((await client.getStatus({})).status?.healthy, true);
    assert.equal(
      await healthOf(proxy),
      `serving\nthe limit of open files lets ${possible} connections be open at a time, ` +
        "fewer than max_connections (1000)\n",
    );
    assert(possible > 40 && possible < MAX_DESCRIPTORS / 2, `${possible}`);
  },
});

Deno.test({
  name: "a limit of open files that is high enough is not spoken of",
  ignore,
  async fn() {
    await using backend = await startEchoBackend();
    await using proxy = await startLimited(backend.address, 20);
    assert.ok(await isServed(proxy.port()));
    assert.deepEqual(proxy.events("the limit of open files is low"), []);
    assert.equal(await healthOf(proxy), "serving\n");
  },
});

/** Sets how many descriptors a process may have from now on. */
async function limitDescriptors(pid: number, limit: number): Promise<void> {
  const { code, stderr } = await runCommand("prlimit", [`--pid=${pid}`, `--nofile=${limit}:`]);
  assert.equal(code, 0, stderr);
}

testWithCommands(
  ["prlimit"],
  "connections that cannot be accepted are counted and told of in one line, and accepted later",
  async () => {
    await using backend = await startEchoBackend();
    await using proxy = await startProxy({
      config: {
        server: { workers: 1 },
        metrics: { addr: "127.0.0.1:0" },
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      },
    });
    const port = proxy.port();
    assert.ok(await isServed(port));
    // Those it has stay open; every other number is out of bounds.
    await limitDescriptors(proxy.pid, 3);
    await using client = await connectRaw({ port });
    client.end(hello);
    const said = () => proxy.events("connections cannot be accepted");
    await eventually(() => said().length > 0, "the log says so");
    assert.deepEqual([said()[0]?.error, said()[0]?.listener], ["EMFILE", "127.0.0.1:0"]);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(said().length, 1, "the next line comes after ten seconds");
    assert.equal(client.received.length, 0);
    await limitDescriptors(proxy.pid, 4096);
    assert.equal((await client.readToEnd()).bytes.length, hello.length);
    assert.ok(await isServed(port));
    const [metrics] = proxy.events("metrics");
    const page = await (await fetch(`http://127.0.0.1:${metrics?.port}/metrics`)).text();
    const counted = Number(/^mc_proxy_accept_failures_total (\d+)$/m.exec(page)?.[1]);
    assert.ok(counted >= 2, `${counted} looks`);
    assert.deepEqual(proxy.events("worker died"), []);
  },
);
