import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DescriptorWatch, probeDescriptors } from "../../../lib/cli/descriptors.ts";
import { DescriptorBudget, DESCRIPTORS_BYTES, type LogRecord } from "../../../lib/observe/mod.ts";
import { eventually } from "../../support/deadline.ts";

const path = fileURLToPath(import.meta.url);

function watchOf(maxConnections: readonly number[]) {
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  const logs: LogRecord[] = [];
  const log = (record: LogRecord) => void logs.push(record);
  const watch = new DescriptorWatch({ budget, path, maxConnections: () => maxConnections, log });
  return { budget, logs, watch };
}

Deno.test("probeDescriptors() opens as many as asked, and closes them", () => {
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(probeDescriptors(path, 300), { free: 300, isAll: false });
  }
});

Deno.test("probeDescriptors() knows nothing where a file cannot be opened", () => {
  assert.deepEqual(probeDescriptors(`${path}.missing`, 300), { free: 0, isAll: false });
});

Deno.test("DescriptorWatch sets no limit while it has found none", () => {
  const { budget, logs, watch } = watchOf([100, 50]);
  using _watch = watch;
  assert.equal(budget.limit, 0);
  assert.deepEqual(watch.warnings, []);
  assert.deepEqual(logs, []);
});

Deno.test("DescriptorWatch says how many connections were refused, once in a while", async () => {
  const { budget, logs, watch } = watchOf([0]);
  using _watch = watch;
  budget.limit = 4;
  assert(budget.of(0).acquire(4));
  for (let i = 0; i < 3; i++) assert.equal(budget.of(0).acquire(2), false);
  await eventually(() => logs.length === 1, "it is logged");
  assert.equal(logs[0]?.message, "connections refused: descriptors are short");
  assert.deepEqual(logs[0]?.fields, { refused: 3, connections: 2 });
  assert.equal(budget.of(0).acquire(2), false);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(logs.length, 1);
});
