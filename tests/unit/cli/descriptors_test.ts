import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DescriptorWatch, probeDescriptors } from "../../../lib/cli/descriptors.ts";
import { DescriptorBudget, DESCRIPTORS_BYTES, type LogRecord } from "../../../lib/observe/mod.ts";

const path = fileURLToPath(import.meta.url);

/** Until it is disposed of, intervals and `performance.now()` follow this time. */
class FakeIntervals implements Disposable {
  readonly #setInterval = globalThis.setInterval;
  readonly #performanceNow = performance.now;
  readonly #set: { readonly callback: () => void; readonly ms: number }[] = [];
  #now = 0;

  constructor() {
    Object.assign(globalThis, {
      setInterval: (callback: () => void, ms: number) => this.#set.push({ callback, ms }),
    });
    performance.now = () => this.#now;
  }

  advance(ms: number): void {
    for (const end = this.#now + ms; this.#now < end;) {
      this.#now++;
      for (const { callback, ms } of this.#set) if (this.#now % ms === 0) callback();
    }
  }

  [Symbol.dispose](): void {
    globalThis.setInterval = this.#setInterval;
    performance.now = this.#performanceNow;
  }
}

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

Deno.test("DescriptorWatch says how many connections were refused, once in a while", () => {
  using time = new FakeIntervals();
  const { budget, logs, watch } = watchOf([0]);
  using _watch = watch;
  budget.limit = 4;
  assert(budget.of(0).acquire(4));
  for (let i = 0; i < 3; i++) assert.equal(budget.of(0).acquire(2), false);
  time.advance(250);
  assert.equal(logs[0]?.message, "connections refused: descriptors are short");
  assert.deepEqual(logs[0]?.fields, { refused: 3, connections: 2 });
  assert.equal(budget.of(0).acquire(2), false);
  time.advance(9_750);
  assert.equal(logs.length, 1);
  assert.equal(budget.of(0).acquire(2), false);
  time.advance(250);
  assert.deepEqual(logs[1]?.fields, { refused: 2, connections: 2 });
  time.advance(20_000);
  assert.equal(logs.length, 2, "nobody was refused since");
});
