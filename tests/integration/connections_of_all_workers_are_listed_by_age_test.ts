import assert from "node:assert/strict";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { listenerOf, routeOf } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

/** So many that two workers certainly have some of each other's ages. */
const CONNECTIONS = 20;

Deno.test("connections of all workers are listed together, the oldest first", async () => {
  await using backend = await startEchoBackend();
  const port = await unusedPort();
  const route = routeOf({ hostname: "a.test", backend: backend.address });
  const pool = await WorkerPool.start(2, {
    settings: { connectTimeoutMs: 10_000, idleTimeoutMs: 60_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [listenerOf(port, { routes: [route] })],
  }, { onEvent: () => {}, log: () => {} });
  try {
    await using clients = new AsyncDisposableStack();
    const hello = buildClientHello({ serverName: "a.test" });
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = clients.use(await connectRaw({ port }));
      await client.write(hello);
      await client.read(hello.length);
    }
    const { connections, total } = await pool.findConnections({}, 1000);
    assert.equal(total, CONNECTIONS);
    const ages = connections.map(({ ageMs }) => ageMs);
    assert.deepEqual(ages, ages.toSorted((a, b) => b - a));
    // Both have some, or nothing was put in order.
    const workers = new Set(connections.map(({ id }) => id.slice(0, id.lastIndexOf("-"))));
    assert.equal(workers.size, 2, connections.map(({ id }) => id).join());
  } finally {
    await pool.drain(0);
  }
});
