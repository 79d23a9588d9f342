import assert from "node:assert/strict";
import type { Decision, SessionRequest } from "../../../lib/connector/mod.ts";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import { DESCRIPTORS_BYTES } from "../../../lib/observe/mod.ts";
import { newCounters, WorkerHandle } from "../../../lib/workers/worker_handle.ts";

const ENTRY = new URL("../../support/counting_worker.ts", import.meta.url);

async function started(
  decide: () => Promise<Decision> = () => Promise.resolve({ allowed: false, cause: "not_listed" }),
) {
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
        return decide();
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

/** What is said to workers that are started meanwhile. */
class Overheard implements Disposable {
  static readonly #Worker = globalThis.Worker;
  readonly types: unknown[] = [];

  constructor() {
    const { types } = this;
    globalThis.Worker = class extends Overheard.#Worker {
      override postMessage(message: { readonly type?: string }): void {
        types.push(message.type);
        super.postMessage(message);
      }
    };
  }

  [Symbol.dispose](): void {
    globalThis.Worker = Overheard.#Worker;
  }
}

Deno.test("a worker is told who is admitted, and not once it is ended: nobody would end that session", async () => {
  for (const isEnded of [false, true]) {
    using overheard = new Overheard();
    const { promise, resolve } = Promise.withResolvers<Decision>();
    const { handle, admitted } = await started(() => promise);
    await handle.request({ type: "ping" }, 15_000);
    assert.equal(admitted.length, 1);
    if (isEnded) handle.terminate("it is replaced");
    resolve({ allowed: true, address: "192.0.2.1" });
    await promise;
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(overheard.types.filter((type) => type === "decision").length, isEnded ? 0 : 1);
    handle.terminate("the test is over");
  }
});
