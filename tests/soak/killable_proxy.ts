/**
 * The program as it is, but that SIGUSR2 ends one of its workers as if it had died, each in turn.
 *
 * @module
 */
import { runMcProxy } from "../../lib/cli/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";

const start = WorkerPool.start;

WorkerPool.start = async (count, ...rest) => {
  const pool = await start.call(WorkerPool, count, ...rest);
  let next = 0;
  Deno.addSignalListener("SIGUSR2", () => pool.replace(next++ % count, "killed by the soak"));
  return pool;
};

Deno.exit(await runMcProxy(Deno.args));
