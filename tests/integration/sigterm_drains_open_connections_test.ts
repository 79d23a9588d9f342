import assert from "node:assert/strict";
import { type Backend, startEchoBackend, startTlsBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

const identity = await createServerIdentity("one.test");

function connect(proxy: Proxy) {
  return connectTls({ port: proxy.port(), servername: "one.test", ca: identity.ca });
}

/** A proxy with one l4 route. */
function start(backend: Backend, settings: { shutdown: string; workers: number }) {
  return startProxy({
    config: {
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{ hostname: "one.test", backend: backend.address }],
      }],
      proxy: { shutdown_timeout: settings.shutdown },
      server: { workers: settings.workers },
    },
  });
}

async function isRefused(port: number): Promise<boolean> {
  try {
    await using _client = await connectRaw({ port });
    return false;
  } catch (error) {
    return (error as { code?: string }).code === "ECONNREFUSED";
  }
}

for (const workers of [0, 2]) {
  Deno.test(`SIGTERM refuses new connections and lets open ones finish (${workers} workers)`, async () => {
    await using backend = await startTlsBackend("one", identity);
    await using proxy = await start(backend, { shutdown: "20s", workers });
    await using client = await connect(proxy);
    assert.equal(await client.readText(4), "one\n");
    const port = proxy.port();
    const stopped = proxy.stop("SIGTERM");
    await eventually(() => isRefused(port), "new connections are refused");
    await client.write("still here");
    assert.equal(await client.readText(10), "still here");
    client.end();
    assert.equal((await client.readToEnd()).ending, "end");
    assert.equal(await stopped, 0);
    assert.equal((await proxy.outcome("relayed")).sni, "one.test");
  });

  Deno.test(`a connection that outlives shutdown_timeout is reset and logged (${workers} workers)`, async () => {
    await using backend = await startEchoBackend();
    await using proxy = await start(backend, { shutdown: "300ms", workers });
    await using client = await connectRaw({ port: proxy.port() });
    const hello = buildClientHello({ serverName: "one.test" });
    await client.write(hello);
    assert.deepEqual(await client.read(hello.length), Buffer.from(hello));
    assert.equal(await proxy.stop("SIGINT"), 0);
    assert.equal((await client.readToEnd()).ending, "reset");
    await proxy.outcome("shutdown");
  });
}

Deno.test("a second signal ends the program at once", async () => {
  await using backend = await startTlsBackend("one", identity);
  await using proxy = await start(backend, { shutdown: "1h", workers: 1 });
  await using client = await connect(proxy);
  assert.equal(await client.readText(4), "one\n");
  proxy.process.signal("SIGTERM");
  await eventually(() => proxy.events("draining").length === 1, "the drain begins");
  assert.notEqual(await proxy.stop("SIGTERM"), 0);
});

Deno.test("restart keeps what the database holds, whatever the configuration says by then", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  await using first = await startTlsBackend("one", identity);
  await using second = await startTlsBackend("two", identity);
  const config = (backend: Backend) => ({
    listeners: [{
      addr: "127.0.0.1:0",
      routes: [{ hostname: "one.test", backend: backend.address }],
    }],
  });
  try {
    for (const backend of [first, second]) {
      await using proxy = await startProxy({ folder, config: config(backend) });
      await using client = await connect(proxy);
      assert.equal(await client.readText(4), "one\n");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "the program holds no socket of a connection that has ended",
  ignore: !CAN_READ_USAGE,
  async fn() {
    await using backend = await startEchoBackend();
    await using proxy = await start(backend, { shutdown: "5s", workers: 2 });
    const before = await readUsage(proxy.pid);
    for (let round = 0; round < 20; round++) {
      await using garbage = await connectRaw({ port: proxy.port() });
      await garbage.write("GET / HTTP/1.0\r\n\r\n");
      assert.equal((await garbage.readToEnd()).ending, "reset");
      await using silent = await connectRaw({ port: proxy.port() });
      silent.end();
    }
    await socketsReturnTo(proxy.pid, before);
  },
});
