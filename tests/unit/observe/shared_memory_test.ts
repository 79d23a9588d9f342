import assert from "node:assert/strict";
import {
  ConnectionGauge,
  COUNTER_NAMES,
  COUNTERS_BYTES,
  createCounters,
  describeError,
  GAUGE_BYTES,
  sumCounters,
} from "../../../lib/observe/mod.ts";

Deno.test("sumCounters() adds up what several workers counted", () => {
  const buffers = [new SharedArrayBuffer(COUNTERS_BYTES), new SharedArrayBuffer(COUNTERS_BYTES)];
  for (const buffer of buffers) {
    const counters = createCounters(buffer);
    counters.add("accepted");
    counters.add("bytes_in", 2 ** 40);
  }
  const sums = sumCounters(buffers);
  assert.equal(sums.accepted, 2);
  assert.equal(sums.bytes_in, 2 ** 41);
  assert.deepEqual(Object.keys(sums), [...COUNTER_NAMES]);
});

Deno.test("ConnectionGauge holds one limit over all workers", () => {
  const buffer = new SharedArrayBuffer(GAUGE_BYTES);
  const a = new ConnectionGauge(buffer);
  const b = new ConnectionGauge(buffer);
  assert(a.acquire(0, 2));
  assert(b.acquire(1, 2));
  assert(!a.acquire(0, 2));
  b.release(1);
  assert(a.acquire(0, 2));
  assert.deepEqual([a.active, a.total], [2, 3]);
});

Deno.test("ConnectionGauge takes the permits of a dead worker back and no others", () => {
  const gauge = new ConnectionGauge(new SharedArrayBuffer(GAUGE_BYTES));
  for (const worker of [0, 1, 1, 1]) assert(gauge.acquire(worker, 0));
  gauge.releaseAll(1);
  assert.equal(gauge.active, 1);
  gauge.release(0);
  assert.equal(gauge.active, 0);
});

Deno.test("describeError() joins causes on one line without stack traces", () => {
  const error = new Error("cannot connect", { cause: new Error("refused\n  at x") });
  assert.equal(describeError(error), "cannot connect: refused at x");
  assert.equal(describeError("text"), "text");
});
