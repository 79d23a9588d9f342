import assert from "node:assert/strict";
import { BackendCell, BALANCE_LIMITS, CELL_BYTES } from "../../../lib/balance/mod.ts";
import { MAX_WORKERS } from "../../../lib/observe/mod.ts";

const T = Date.UTC(2026, 10, 27);
const { failures, outMs, maxOutMs, forgetMs, slowStartMs } = BALANCE_LIMITS;

const cellAt = (ms = T) => new BackendCell(BackendCell.create(ms));

Deno.test("a cell counts permits over all workers, up to the limit and not one past it", () => {
  const cell = cellAt();
  assert.equal(cell.open, 0);
  assert.ok(cell.acquire(0, 3));
  assert.ok(cell.acquire(MAX_WORKERS - 1, 3));
  assert.ok(cell.acquire(1, 3));
  assert.ok(!cell.acquire(2, 3));
  assert.equal(cell.open, 3);
  cell.release(1);
  assert.equal(cell.open, 2);
  assert.ok(cell.acquire(2, 3));
  assert.ok(cell.acquire(2, 0), "0 is no limit");
  assert.equal(cell.open, 4);
  assert.equal(cell.buffer.byteLength, CELL_BYTES);
});

Deno.test("what a dead worker held comes back, and nothing of the others", () => {
  const cell = cellAt();
  for (const worker of [3, 3, 5]) cell.acquire(worker, 0);
  cell.releaseAll(3);
  assert.equal(cell.open, 1);
  cell.releaseAll(5);
  assert.equal(cell.open, 0);
});

Deno.test("two threads see one cell", () => {
  const one = cellAt();
  const other = new BackendCell(one.buffer);
  one.acquire(0, 0);
  assert.equal(other.open, 1);
  one.checked("failing", T);
  assert.equal(other.check, "failing");
  assert.ok(!other.isWell(T));
});

Deno.test("as many failures in a row as the limit take out, one less does not", () => {
  const cell = cellAt();
  for (let i = 1; i < failures; i++) assert.ok(!cell.failed());
  assert.ok(cell.failed());
  cell.succeeded();
  assert.equal(cell.failures, 0);
  for (let i = 1; i < failures; i++) assert.ok(!cell.failed());
});

Deno.test("a backend is out for longer each time, up to a most, and is forgiven after a while", () => {
  const cell = cellAt();
  let now = T;
  for (const times of [1, 2, 3, 10, 11]) {
    while (cell.timesOut < times) {
      now = Math.max(now, cell.outUntil);
      assert.ok(cell.takeOut(now), `time ${cell.timesOut + 1}`);
      assert.ok(!cell.takeOut(now), "it is out already");
    }
    const expected = Math.min(outMs * times, maxOutMs);
    assert.equal(cell.outUntil - cell.outAt, expected);
    assert.ok(cell.isOut(now + expected - 100));
    assert.ok(!cell.isOut(now + expected));
  }
  now = cell.outUntil + forgetMs;
  assert.ok(cell.takeOut(now));
  assert.equal(cell.timesOut, 12, "not a moment later");
  now = cell.outUntil + forgetMs + 200;
  assert.ok(cell.takeOut(now));
  assert.equal(cell.timesOut, 1);
  assert.equal(cell.outUntil - cell.outAt, outMs);
});

Deno.test("times are those of the clock that was given", () => {
  const cell = cellAt();
  assert.deepEqual([cell.outAt, cell.outUntil], [0, 0]);
  cell.takeOut(T + 5000);
  assert.equal(cell.outAt, T + 5000);
  assert.equal(cell.outUntil, T + 5000 + outMs);
});

Deno.test("how often it was out is kept apart from when it came back", () => {
  const cell = cellAt();
  cell.takeOut(T);
  cell.rise(T + 60_000);
  assert.equal(cell.timesOut, 1);
  assert.equal(cell.share(T + 60_000), BALANCE_LIMITS.leastShare);
});

/** Runs `body`; another thread does `before` just before the first exchange in it. */
function overtaken(before: () => void, body: () => void): void {
  const exchange = Atomics.compareExchange;
  const restore = () => Object.assign(Atomics, { compareExchange: exchange });
  Object.assign(Atomics, {
    compareExchange: (...args: Parameters<typeof exchange>) => {
      restore();
      before();
      return exchange(...args);
    },
  });
  try {
    body();
  } finally {
    restore();
  }
}

Deno.test("two workers that take their first permit at once are both counted", () => {
  for (const [first, second] of [[1, 3], [3, 1], [2, 2]] as const) {
    const cell = cellAt();
    overtaken(() => cell.acquire(second, 0), () => assert.ok(cell.acquire(first, 0)));
    assert.equal(cell.open, 2);
  }
});

Deno.test("of two threads that take a backend out at once one does", () => {
  const cell = cellAt();
  let other: boolean | undefined;
  overtaken(
    () => other = cell.takeOut(T + 100),
    () => assert.equal(cell.takeOut(T), false),
  );
  assert.equal(other, true);
  assert.deepEqual([cell.outAt, cell.timesOut], [T + 100, 1]);
});

Deno.test("taking out begins the count of failures anew", () => {
  const cell = cellAt();
  for (let i = 0; i < failures; i++) cell.failed();
  cell.takeOut(T);
  assert.equal(cell.failures, 0);
});

Deno.test("a clock that is set back keeps nobody out", () => {
  const cell = cellAt();
  cell.takeOut(T + 3_600_000);
  assert.ok(cell.isOut(T + 3_600_000));
  assert.ok(!cell.isOut(T));
  assert.equal(cell.share(T), 1);
});

Deno.test("a backend that comes back gets its share little by little", () => {
  const cell = cellAt();
  assert.equal(cell.share(T), 1, "one that was never away");
  cell.takeOut(T);
  const back = cell.outUntil;
  assert.equal(cell.share(back), BALANCE_LIMITS.leastShare);
  assert.equal(cell.share(back + slowStartMs / 2), 0.5);
  assert.equal(cell.share(back + slowStartMs - 300), (slowStartMs - 300) / slowStartMs);
  assert.equal(cell.share(back + slowStartMs), 1);
  assert.equal(cell.share(back + 2 * slowStartMs), 1);
  cell.rise(back + 100_000);
  assert.equal(cell.share(back + 100_000), BALANCE_LIMITS.leastShare);
});

Deno.test("checks that succeed again forgive what connections met, others do not", () => {
  const cell = cellAt();
  cell.failed();
  cell.takeOut(T);
  cell.checked("passing", T);
  assert.ok(cell.isOut(T), "checks pass while traffic fails");
  cell.failed();
  cell.checked("failing", T);
  assert.equal(cell.failures, 1);
  cell.checked("passing", T + 1000);
  assert.equal(cell.failures, 0);
  assert.ok(!cell.isOut(T + 1000));
  assert.ok(cell.isWell(T + 1000));
  assert.equal(cell.share(T + 1000), BALANCE_LIMITS.leastShare);
  assert.equal(cell.outUntil, 0);
  cell.takeOut(T + 2000);
  assert.equal(cell.timesOut, 1, "the count begins anew, however little time has passed");
});

Deno.test("checks that go on failing, or that end, forgive nothing", () => {
  const cell = cellAt();
  cell.checked("failing", T);
  cell.failed();
  cell.checked("failing", T + 1000);
  cell.checked("unknown", T + 2000);
  assert.equal(cell.failures, 1);
  assert.equal(cell.share(T + 2000), 1);
});

Deno.test("a backend nobody has checked is well", () => {
  const cell = cellAt();
  assert.equal(cell.check, "unknown");
  assert.ok(cell.isWell(T));
  cell.checked("passing", T);
  assert.equal(cell.share(T), 1, "it was not away");
});
