import assert from "node:assert/strict";
import { createRateLimiter } from "../../lib/firewall/mod.ts";
import type { HammerTask } from "../support/rate_limit_worker.ts";

const WORKERS = 4;
const KEY = Uint32Array.of(1, 2, 3, 4);
const WINDOW_MS = 10_000;

/** Admissions by source, from all workers together. */
async function hammer(task: Omit<HammerTask, "gate">): Promise<number[]> {
  const gate = new SharedArrayBuffer(4);
  new Int32Array(gate)[0] = WORKERS;
  const url = new URL("../support/rate_limit_worker.ts", import.meta.url);
  const workers = Array.from({ length: WORKERS }, () => new Worker(url, { type: "module" }));
  try {
    const counts = await Promise.all(workers.map((worker) => {
      const { promise, resolve, reject } = Promise.withResolvers<number[]>();
      worker.onmessage = ({ data }: MessageEvent<number[]>) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ ...task, gate });
      return promise;
    }));
    return task.sources.map((_, n) => counts.reduce((sum, count) => sum + (count[n] ?? 0), 0));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

Deno.test("workers that share a limiter admit exactly the limit of one source", async () => {
  const limit = 50_000;
  const { buffer } = createRateLimiter({ limit, windowMs: WINDOW_MS, key: KEY });
  const task = { buffer, limit, windowMs: WINDOW_MS, sources: [1], attempts: 30_000 };
  assert.deepEqual(await hammer({ ...task, nowMs: 1000 }), [limit]);
  assert.deepEqual(await hammer({ ...task, nowMs: 1000 + WINDOW_MS - 1 }), [0]);
  assert.deepEqual(await hammer({ ...task, nowMs: 1000 + WINDOW_MS }), [limit]);
});

Deno.test("workers that share a limiter admit exactly the limit of each of many new sources", async () => {
  const limit = 3;
  const sources = Array.from({ length: 5000 }, (_, n) => n);
  const { buffer } = createRateLimiter({ limit, windowMs: WINDOW_MS, key: KEY });
  const task = { buffer, limit, windowMs: WINDOW_MS, sources, attempts: 3, nowMs: 5 };
  assert.deepEqual(await hammer(task), sources.map(() => limit));
});
