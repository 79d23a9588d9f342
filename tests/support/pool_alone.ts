/**
 * A pool of one worker in a process of its own, with a worker that falls ill as
 * `troubled_worker.ts` can. Whether a worker loops is told from the processor time of its process,
 * and in a run of tests other threads of that spend what they like. Prints a {@link PoolAlone}.
 *
 *     pool_alone.ts "hang 20000" replace
 *
 * @module
 */
import { compileFirewall } from "../../lib/firewall/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import type { Snapshot } from "../../lib/plane/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { ROOT } from "./module_graph.ts";
import { listenerOf } from "./plane.ts";
import { unusedPort } from "./ports.ts";

/** For what a worker is asked, in milliseconds. */
const PATIENCE_MS = 60_000;

/** How a pool fared. */
export interface PoolAlone {
  /** Which workers were reported as stuck. */
  readonly stuck: readonly number[];
  readonly worker: { readonly state: string; readonly restarts: number };
  readonly messages: readonly string[];
}

/** Runs a pool whose worker is given `trouble`, until the worker is well again or is reported. */
export async function poolAlone(trouble: string, ...more: string[]): Promise<PoolAlone> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", "-A", new URL(import.meta.url).pathname]
      .concat(trouble, more),
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function run(trouble: string, isReplaced: boolean): Promise<PoolAlone> {
  const logs: LogRecord[] = [];
  const stuck: number[] = [];
  const isStuck = Promise.withResolvers<void>();
  const snapshot: Snapshot = {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [listenerOf(await unusedPort())],
  };
  const pool = await WorkerPool.start(1, snapshot, {
    onEvent: () => {},
    log: (record) => logs.push(record),
    entry: new URL("./troubled_worker.ts", import.meta.url),
    onStuck: (worker) => {
      stuck.push(worker);
      isStuck.resolve();
    },
    lookMs: 20,
    loopCpuMs: 2000, // Loading the worker's code takes a part of it.
    applyTimeoutMs: PATIENCE_MS,
  });
  // Both are in the worker's queue: it has the change only when it turns again.
  pool.closeConnection(trouble);
  const isWell = pool.apply([{ kind: "snapshot", snapshot }], snapshot);
  isWell.catch(() => {}); // The worker is gone.
  if (isReplaced) pool.replace(0, "replaced by the test");
  await (isReplaced ? isStuck.promise : Promise.race([isStuck.promise, isWell]));
  const { state, restarts } = pool.status().workers[0] ?? { state: "none", restarts: 0 };
  return { stuck, worker: { state, restarts }, messages: logs.map(({ message }) => message) };
}

if (import.meta.main) {
  const [trouble = "", more] = Deno.args;
  const result = await run(trouble, more === "replace");
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
  Deno.exit(0); // A thread that loops would keep the process.
}
