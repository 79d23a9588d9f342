import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { commandExists } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import type { Peer } from "../support/peer.ts";
import { startProxy } from "../support/proxy.ts";
import { CAN_STARVE, outweighWorkers } from "../support/starvation.ts";

const hello = buildClientHello({ serverName: "a.test" });
const LISTENER = "127.0.0.1:0";

/** With these on its core the first version lost both workers, every connection, and then itself. */
const LOOPS = 8;
const CROWDED_MS = 4500;
const STREAMS = 40;
/** For what takes milliseconds on a core of its own. */
const PATIENCE_MS = 60_000;

const canRun = CAN_STARVE && commandExists("taskset");

Deno.test({
  name: `${LOOPS} busy loops on the proxy's core bury no worker while routes change${
    canRun ? "" : " (ignored: no taskset or control group of processor time here)"
  }`,
  ignore: !canRun,
  async fn() {
    await using backend = await startEchoBackend();
    await using proxy = await startProxy({
      config: (folder) => ({
        server: { workers: 2 },
        grpc: { addr: join(folder, "admin.sock") },
        listeners: [{ addr: LISTENER, routes: [{ hostname: "a.test", backend: backend.address }] }],
      }),
    });
    const port = proxy.port();
    using client = createClient({
      socketPath: join(proxy.folder, "admin.sock"),
      timeoutMs: PATIENCE_MS,
    });
    await using stack = new AsyncDisposableStack();
    const streams: Peer[] = [];
    for (let i = 0; i < STREAMS; i++) {
      const stream = stack.use(await connectRaw({ port }));
      await stream.write(hello);
      await stream.read(hello.length);
      streams.push(stream);
    }
    const add = (hostname: string) =>
      client.addRoute({ listenerAddr: LISTENER, hostname, backend: backend.address });
    let added = 0;
    let late = 0;
    {
      await using _crowded = await outweighWorkers(proxy.pid, { loops: LOOPS });
      const until = performance.now() + CROWDED_MS;
      for (const stream of streams) stream.socket.write("still here");
      while (performance.now() < until) {
        // Made, or to be made: it is not refused.
        late += (await add(`r${added++}.test`)).pendingWorkers.length;
      }
    }
    assert(late > 0, "the workers were starved: a change had to wait for them");
    await eventually(
      async () => {
        const { status } = await client.getStatus({});
        return status?.workers.every(({ pendingChanges }) => pendingChanges === 0) ?? false;
      },
      "nothing is pending any more",
      PATIENCE_MS,
    );
    const { status } = await client.getStatus({});
    assert.deepEqual(
      status?.workers.map(({ state, restarts }) => ({ state, restarts })),
      Array.from({ length: 2 }, () => ({ state: "serving", restarts: 0 })),
    );
    for (const stream of streams) assert.equal(await stream.readText(10), "still here");
    const routed = buildClientHello({ serverName: `r${added - 1}.test` });
    await using fresh = await connectRaw({ port });
    fresh.end(routed);
    assert.equal((await fresh.readToEnd()).bytes.length, routed.length);
    assert.deepEqual(proxy.errors(), []);
  },
});
