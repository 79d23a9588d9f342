import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { readUsage, socketsReturnTo } from "../support/leaks.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** Enough for the program itself with two workers, and some connections. */
const MAX_DESCRIPTORS = 128;
/** More than that, each of which would need two. */
const CLIENTS = 150;

const hello = buildClientHello({ serverName: "a.test" });

async function startLimited(backend: string): Promise<Proxy> {
  return await startProxy({
    maxDescriptors: MAX_DESCRIPTORS,
    config: {
      server: { workers: 2 },
      listeners: [{ addr: "127.0.0.1:0", routes: [{ hostname: "a.test", backend }] }],
      metrics: { addr: "127.0.0.1:0" },
    },
  });
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

/** Seen from outside, or by a connection whose backend could not be dialled for want of one. */
async function hasRunOut(proxy: Proxy): Promise<boolean> {
  const { descriptors } = await readUsage(proxy.pid);
  return descriptors >= MAX_DESCRIPTORS - 2 ||
    proxy.events("connection").some(({ reason }) => /too many open files/i.test(String(reason)));
}

for (const sends of ["nothing", "a hello"] as const) {
  Deno.test({
    name: `clients that send ${sends} and take every descriptor only pause the proxy`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using backend = await startEchoBackend();
      await using proxy = await startLimited(backend.address);
      const port = proxy.port();
      assert.ok(await isServed(port));
      const before = await readUsage(proxy.pid);
      await using stack = new AsyncDisposableStack();
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, async () => stack.use(await connectRaw({ port }))),
      );
      if (sends === "a hello") { for (const { socket } of clients) socket.write(hello); }
      await eventually(() => hasRunOut(proxy), "every descriptor is taken");
      await stack.disposeAsync();
      // Those that waited in the kernel's queue are accepted now, and found to be gone.
      await eventually(
        () => proxy.events("connection").length === 1 + CLIENTS,
        "every connection was accepted once and has ended",
      );
      await socketsReturnTo(proxy.pid, before);
      for (let i = 0; i < 20; i++) assert.ok(await isServed(port), "by every worker");
      assert.deepEqual(proxy.events("worker died"), []);
      assert.equal(await proxy.stop(), 0);
    },
  });
}
