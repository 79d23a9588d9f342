import assert from "node:assert/strict";
import { BackendCell, BALANCE_LIMITS, stateOf } from "../../../lib/balance/mod.ts";
import { backend } from "../../support/balancing.ts";

const T = Date.UTC(2026, 10, 27);

Deno.test("stateOf() says how a backend is, the operator's wish before all", () => {
  const cell = new BackendCell(BackendCell.create(T));
  const state = (more = {}, nowMs = T) => stateOf(backend("a:1", more), cell, nowMs);
  assert.deepEqual(state(), { condition: "up", reason: "", open: 0 });
  cell.acquire(0, 0);
  cell.takeOut(T);
  assert.deepEqual(state(), {
    condition: "out",
    reason: "5 failures in a row, until 2026-11-27T00:00:30.000Z",
    open: 1,
  });
  cell.checked("failing", T);
  assert.deepEqual(state(), { condition: "failing", reason: "its checks fail", open: 1 });
  assert.equal(state({ state: "drain" }).condition, "drain");
  assert.equal(state({ state: "drain" }).reason, "drained by an operator");
  assert.equal(state({ state: "down" }).condition, "down");
  assert.equal(state({ state: "down" }).open, 1);
  cell.checked("passing", T);
  assert.deepEqual(state({ weight: 3 }), {
    condition: "starting",
    reason: "back, with 10 % of its weight 3",
    open: 1,
  });
  const half = state({ weight: 3 }, T + BALANCE_LIMITS.slowStartMs / 2);
  assert.equal(half.reason, "back, with 50 % of its weight 3");
  assert.equal(state({}, T + BALANCE_LIMITS.slowStartMs).condition, "up");
});

Deno.test("stateOf() counts how often a backend was out in a row", () => {
  const cell = new BackendCell(BackendCell.create(T));
  cell.takeOut(T);
  cell.takeOut(cell.outUntil);
  const { reason } = stateOf(backend("a:1"), cell, cell.outAt);
  assert.match(reason, /^5 failures in a row, 2 times in a row, until /);
});

Deno.test("the bounds are those that are written down", () => {
  assert.deepEqual({ ...BALANCE_LIMITS }, {
    failures: 5,
    outMs: 30_000,
    maxOutMs: 300_000,
    forgetMs: 300_000,
    slowStartMs: 30_000,
    leastShare: 0.1,
    retryShare: 0.2,
    leastRetries: 10,
    budgetMs: 10_000,
    attempts: 3,
    pollMs: 20,
  });
});
