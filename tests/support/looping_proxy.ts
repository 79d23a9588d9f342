/**
 * The program as it is, but that its first worker loops for ever once the route `loop.test` is added.
 *
 * @module
 */
import { runMcProxy } from "../../lib/cli/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";

const start = WorkerPool.start;
const entry = new URL("./looping_worker.ts", import.meta.url);

WorkerPool.start = (count, snapshot, options) =>
  start.call(WorkerPool, count, snapshot, { ...options, entry, loopCpuMs: 3000 });

Deno.exit(await runMcProxy(Deno.args));
