import assert from "node:assert/strict";
import type { SessionRequest } from "../../../lib/connector/mod.ts";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import { DESCRIPTORS_BYTES } from "../../../lib/observe/mod.ts";
import { newCounters, WorkerHandle } from "../../../lib/workers/worker_handle.ts";

const ENTRY = new URL("../../support/counting_worker.ts", import.meta.url);

async function started() {
  const logged: unknown[] = [];
  const admitted: SessionRequest[] = [];
  const deaths: string[] = [];
  const handle = new WorkerHandle({
    entry: ENTRY,
    index: 0,
    idPrefix: "0",
    counters: newCounters(),
    descriptors: new SharedArrayBuffer(DESCRIPTORS_BYTES),
    onEvent: () => {},
    log: ({ message, fields }) => void (message === "in flight" && logged.push(fields)),
    onRequestBlock: () => {},
    onDeath: (reason) => void deaths.push(reason),
    admission: {
      admit(request) {
        admitted.push(request);
        return Promise.resolve({ allowed: false, cause: "not_listed" } as const);
      },
      leave: () => {},
    },
  });
  await handle.start({
    settings: { connectTimeoutMs: 1000, idleTimeoutMs: 1000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [],
  });
  return { handle, logged, admitted, deaths };
}

Deno.test("a batch that has come is counted off where batches of its kind are counted", async () => {
  const { handle, logged } = await started();
  for (const connection of ["access_log", "", "events", ""]) {
    await handle.request({ type: "close_connection", connection }, 15_000);
  }
  handle.terminate("the test is over");
  // The worker looks before the batch is here; the empty name only looks.
  assert.deepEqual(logged[1], { connections: 1, requests: 0 });
  assert.deepEqual(logged[3], { connections: 0, requests: 0 });
});

Deno.test("a worker that is ended is asked nothing more and admits nobody", async () => {
  const { handle, admitted, deaths } = await started();
  await handle.request({ type: "ping" }, 15_000);
  assert.equal(admitted.length, 1, "while it lives it asks");
  await handle.end("it is replaced");
  assert.equal(admitted.length, 1, "nobody would tell it the answer");
  assert.deepEqual(deaths, []);
});
