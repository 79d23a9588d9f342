import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { ROOT } from "../support/module_graph.ts";
import { startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });
const LISTENER = "127.0.0.1:0";
/** Over two workers each has some of so many. */
const STREAMS = 24;
/** A stream that has not answered so long after another one did is one of the loop's. */
const SILENT_MS = 1000;

Deno.test("a worker in an endless loop ends the program, after the others have drained", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startProxy({
    script: join(ROOT, "tests/support/looping_proxy.ts"),
    config: (folder) => ({
      server: { workers: 2 },
      proxy: { shutdown_timeout: "20s" },
      grpc: { addr: join(folder, "admin.sock") },
      listeners: [{ addr: LISTENER, routes: [{ hostname: "a.test", backend: backend.address }] }],
    }),
  });
  using client = createClient({ socketPath: join(proxy.folder, "admin.sock") });
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, () => connectRaw({ port: proxy.port() })),
  );
  for (const stream of streams) {
    await stream.write(hello);
    await stream.read(hello.length);
  }
  const route = { listenerAddr: LISTENER, hostname: "loop.test", backend: backend.address };
  assert.deepEqual((await client.addRoute(route)).pendingWorkers, [0]);
  const { status } = await client.getStatus({});
  assert.deepEqual(status?.workers.map(({ state }) => state), ["serving", "serving"]);
  assert.equal(status?.workers[0]?.pendingChanges, 1);
  assert.equal(status?.workers[1]?.pendingChanges, 0);
  await eventually(
    () => proxy.events("draining").length === 1,
    "the loop is noticed and the program drains",
    60_000,
  );
  // The streams of the worker that turns go on until they end.
  const silent = Promise.withResolvers<number>();
  const answers = streams.map((stream) => {
    stream.socket.write("still here");
    return Promise.race([stream.read(10).then(() => 1, () => 0), silent.promise]);
  });
  await Promise.any(answers);
  const timer = setTimeout(silent.resolve, SILENT_MS, 0);
  const alive = (await Promise.all(answers)).reduce((sum, each) => sum + each, 0);
  clearTimeout(timer);
  assert(alive > 0, "the other worker's streams live");
  assert(alive < STREAMS, "those of the loop do not");
  assert.equal(proxy.events("worker is in an endless loop")[0]?.worker, 0);
  for (const stream of streams) await stream[Symbol.asyncDispose]();
  const { code } = await withinDeadline(proxy.process.exited, "the program ends", 30_000);
  assert.equal(code, 1);
  await proxy.stop();
});
