import assert from "node:assert/strict";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { eventually } from "../support/deadline.ts";

/** An octet there and back is two waits; the runtime by itself looks in every 61st turn. */
const MAX_TURNS = 30;

Deno.test("input is looked for while a worker is never idle", async () => {
  const logs: LogRecord[] = [];
  const snapshot = {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [],
  };
  const pool = await WorkerPool.start(1, snapshot, {
    onEvent: () => {},
    log: (record) => logs.push(record),
    entry: new URL("../support/toiling_worker.ts", import.meta.url),
  });
  try {
    await pool.closeConnection("toil");
    const echoes = () => logs.filter(({ message }) => message === "echoed");
    await eventually(() => echoes().length === 20, "every octet comes back");
    const turns = echoes().map(({ fields }) => Number(fields?.turns)).sort((a, b) => a - b);
    assert.ok(Number(turns[10]) < MAX_TURNS, `an octet took ${turns} turns there and back`);
  } finally {
    await pool.drain(0);
  }
});
