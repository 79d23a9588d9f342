import assert from "node:assert/strict";
import net from "node:net";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import { type ConnectionEvent, GAUGE_BYTES } from "../../lib/observe/mod.ts";
import { InheritedSockets } from "../../lib/tcp/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { listenerOf, routeOf } from "../support/plane.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** A listening socket of which nobody but the descriptor is left, as a service manager passes one. */
async function listeningSocket(): Promise<{ fd: number; port: number }> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as net.AddressInfo;
  const fd = (server as unknown as { _handle: { fdForIpc(): number } })._handle.fdForIpc();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { fd, port };
}

async function exchange(port: number): Promise<boolean> {
  await using client = await connectRaw({ port });
  client.end(hello);
  return (await client.readToEnd()).bytes.length === hello.length;
}

Deno.test("workers that are replaced adopt the inherited socket again, and none closes it for the others", async () => {
  await using backend = await startEchoBackend();
  const { fd, port } = await listeningSocket();
  const inherited = new InheritedSockets([fd]);
  assert.ok(inherited.has({ host: "127.0.0.1", port }));
  assert.ok(!inherited.has({ host: "127.0.0.2", port }));
  assert.ok(!inherited.has({ host: "", port }), "every address is not this one");
  assert.deepEqual(inherited.unusedBy([{ host: "127.0.0.1", port: 1 }]), [
    { host: "127.0.0.1", port },
  ]);
  const gauge = new SharedArrayBuffer(GAUGE_BYTES);
  const events: ConnectionEvent[] = [];
  const pool = await WorkerPool.start(2, {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [
      listenerOf(port, {
        routes: [routeOf({ hostname: "a.test", backend: backend.address })],
        gauge,
      }),
    ],
  }, { onEvent: (event) => events.push(event), log: () => {}, inherited });
  for (let i = 0; i < 20; i++) assert.ok(await exchange(port));
  for (const worker of [0, 1, 0]) {
    pool.replace(worker, "killed by the test");
    // What the one that dies had accepted is cut; a refusal would throw here.
    for (let i = 0; i < 20; i++) await exchange(port);
    await eventually(
      () => pool.status().workers.every(({ state }) => state === "serving"),
      "the worker is back",
    );
  }
  const prefixes = () => new Set(events.map(({ id }) => id.split("-")[0]));
  await eventually(async () => await exchange(port) && prefixes().size >= 3, "new ones accept too");
  await pool.drain(1000);
  // The queue is still there, for the process that comes next.
  await using waiting = await connectRaw({ port });
  const [next] = new InheritedSockets([inherited.duplicate()[0]?.fd ?? -1]).duplicate();
  assert.equal(next?.port, port);
  await waiting.write(hello);
});

Deno.test("a descriptor that is no socket is refused", () => {
  using file = Deno.openSync("deno.json");
  assert.throws(() => new InheritedSockets([9999]), TypeError);
  file.statSync();
});
