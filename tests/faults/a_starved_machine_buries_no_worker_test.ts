import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";
import { CAN_STARVE, starveWorkers } from "../support/starvation.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** Of a thousand. */
const WORKER_MS_PER_SECOND = 1;
const STARVED_MS = 14_000;
const IDLE = 60;
/** The starved proxy is given this long for what takes it milliseconds. */
const PATIENCE_MS = 60_000;

Deno.test({
  name: `a starved proxy keeps its workers and streams, and makes or defers every change${
    CAN_STARVE ? "" : " (ignored: no control group of processor time here)"
  }`,
  ignore: !CAN_STARVE,
  async fn() {
    await using backend = await startEchoBackend();
    await using proxy = await startProxy({
      config: (folder) => ({
        server: { workers: 2 },
        grpc: { addr: join(folder, "admin.sock") },
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      }),
    });
    const port = proxy.port();
    const listenerAddr = "127.0.0.1:0";
    using client = createClient({
      socketPath: join(proxy.folder, "admin.sock"),
      timeoutMs: PATIENCE_MS,
    });
    const streams = await Promise.all(Array.from({ length: IDLE }, () => connectRaw({ port })));
    for (const stream of streams) {
      await stream.write(hello);
      await stream.read(hello.length);
    }
    const pending: number[] = [];
    let added = 0;
    {
      using _starved = await starveWorkers(proxy.pid, { milliseconds: WORKER_MS_PER_SECOND });
      const until = performance.now() + STARVED_MS;
      while (performance.now() < until) {
        const hostname = `r${added}.test`;
        const done = await client.addRoute({ listenerAddr, hostname, backend: backend.address });
        pending.push(done.pendingWorkers.length);
        added++;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
    assert(added > 4, "the control plane goes on");
    assert(pending.some((workers) => workers > 0), "workers were late");
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
    // Every stream of before is the same stream.
    for (const stream of streams) {
      await stream.write("still here");
      assert.equal((await stream.read(10)).length, 10);
      await stream[Symbol.asyncDispose]();
    }
    // Every change is in effect in every worker.
    for (let i = 0; i < added; i++) {
      const routed = buildClientHello({ serverName: `r${i}.test` });
      for (let turn = 0; turn < 4; turn++) {
        await using fresh = await connectRaw({ port });
        fresh.end(routed);
        assert.equal((await fresh.readToEnd()).bytes.length, routed.length);
      }
    }
    assert.deepEqual(proxy.events("worker died"), []);
  },
});
