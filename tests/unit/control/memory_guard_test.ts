import assert from "node:assert/strict";
import { MemoryGuard } from "../../../lib/control/mod.ts";
import { type LogRecord, Pressure } from "../../../lib/observe/mod.ts";

Deno.test("MemoryGuard refuses more and more from 85 % of the limit on, and says so once", () => {
  const logs: LogRecord[] = [];
  let used = 100;
  using guard = new MemoryGuard({
    limit: 1000,
    resident: () => used,
    log: (record) => logs.push(record),
  });
  const pressure = new Pressure(guard.buffer);
  const shareAt = (octets: number) => {
    used = octets;
    guard.look();
    return Math.round(pressure.share * 100) / 100;
  };
  assert.equal(pressure.share, 0);
  assert.equal(guard.warning, undefined);
  assert.deepEqual([849, 850, 875, 900, 950, 2000].map(shareAt), [0, 0, 0.25, 0.5, 0.94, 0.94]);
  assert.match(guard.warning ?? "", /memory is short/);
  assert.deepEqual([900, 800].map(shareAt), [0.5, 0]);
  assert.equal(guard.warning, undefined);
  assert.deepEqual(logs.map(({ level, message }) => `${level}: ${message}`), [
    "warn: memory is short, new connections are refused",
    "info: memory suffices again",
  ]);
});

Deno.test("MemoryGuard looks before the first connection", () => {
  using guard = new MemoryGuard({ limit: 1000, resident: () => 990, log: () => {} });
  assert.ok(new Pressure(guard.buffer).share > 0.9);
});
