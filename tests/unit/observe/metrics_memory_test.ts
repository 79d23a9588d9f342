import assert from "node:assert/strict";
import {
  ConnectionGauge,
  COUNTERS_BYTES,
  createCounters,
  GAUGE_BYTES,
  HISTOGRAM_BOUNDS,
  HISTOGRAM_NAMES,
  MAX_WORKERS,
  OTHER_ROUTES,
  readRequestCounts,
  RequestCounts,
  sumHistogram,
} from "../../../lib/observe/mod.ts";

Deno.test("observe() puts each value into the bucket whose bound it does not exceed", () => {
  const buffer = new SharedArrayBuffer(COUNTERS_BYTES);
  const counters = createCounters(buffer);
  const { client_hello: bounds } = HISTOGRAM_BOUNDS;
  for (const bound of bounds) counters.observe("client_hello", bound);
  counters.observe("client_hello", 0);
  counters.observe("client_hello", 1e9);
  const { counts } = sumHistogram("client_hello", [buffer]);
  assert.deepEqual(counts, [2, ...bounds.slice(1).map(() => 1), 1]);
});

Deno.test("histograms and counters do not overlap, and add up over workers", () => {
  const buffers = [0, 1].map(() => new SharedArrayBuffer(COUNTERS_BYTES));
  for (const buffer of buffers) {
    const counters = createCounters(buffer);
    HISTOGRAM_NAMES.forEach((name, i) => {
      for (let n = 0; n <= i; n++) counters.observe(name, 0.5);
    });
    counters.add("internal_error", 9);
  }
  HISTOGRAM_NAMES.forEach((name, i) => {
    const { counts, sum } = sumHistogram(name, buffers);
    assert.equal(counts.reduce((a, b) => a + b), 2 * (i + 1), name);
    assert.equal(sum, i + 1, name);
  });
});

Deno.test("ConnectionGauge counts endings by mode and outcome, up to the last worker", () => {
  const gauge = new ConnectionGauge(new SharedArrayBuffer(GAUGE_BYTES));
  const last = MAX_WORKERS - 1;
  assert.equal(gauge.acquire(last, 0), true);
  gauge.counts.record(0, { mode: "l4", outcome: "relayed", bytesIn: 1, bytesOut: 2 });
  gauge.counts.record(last, { mode: "l4", outcome: "relayed", bytesIn: 10, bytesOut: 20 });
  gauge.counts.record(last, { mode: "none", outcome: "blocked", bytesIn: 0, bytesOut: 0 });
  assert.equal(gauge.active, 1);
  assert.deepEqual(gauge.counts.read(MAX_WORKERS), [
    { mode: "none", bytesIn: 0, bytesOut: 0, outcomes: [["blocked", 1]] },
    { mode: "l4", bytesIn: 11, bytesOut: 22, outcomes: [["relayed", 2]] },
  ]);
  assert.deepEqual(gauge.counts.read(1), [
    { mode: "l4", bytesIn: 1, bytesOut: 2, outcomes: [["relayed", 1]] },
  ]);
});

Deno.test("RequestCounts tells routes apart up to a limit, and protocols and classes of status", () => {
  const blocks = new Map<string, SharedArrayBuffer>();
  const requests = new RequestCounts((route, block) => {
    assert.ok(!blocks.has(route), "one block for each route");
    blocks.set(route, block);
  });
  const request = { protocol: "http/1.1", durationMs: 1 } as const;
  for (let i = 0; i < 1200; i++) requests.record({ ...request, route: `${i}.test`, status: 200 });
  assert.equal(blocks.size, 1001);
  const other = blocks.get(OTHER_ROUTES);
  assert.ok(other);
  assert.deepEqual(readRequestCounts([other]).counts, [
    { protocol: "http/1.1", status: "2xx", count: 200 },
  ]);
  for (const status of [101, 304, 404, 499, 502, 999, 0]) {
    requests.record({ ...request, route: "0.test", status, protocol: "h2" });
  }
  const first = blocks.get("0.test");
  assert.ok(first);
  const { counts, duration } = readRequestCounts([first]);
  assert.deepEqual(counts.map(({ protocol, status, count }) => [protocol, status, count]), [
    ["h2", "1xx", 2],
    ["h2", "3xx", 1],
    ["h2", "4xx", 2],
    ["h2", "5xx", 2],
    ["http/1.1", "2xx", 1],
  ]);
  assert.equal(duration.counts.reduce((a, b) => a + b), 8);
});
