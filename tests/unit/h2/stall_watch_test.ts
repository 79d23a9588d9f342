import assert from "node:assert/strict";
import { StallWatch } from "../../../lib/h2/stall_watch.ts";

const LIMITS = { stallTimeoutMs: 1000, minProgress: 100, minDrain: 0.5 };
const CLOSED = { available: 0 };

function watch(queued: number): StallWatch {
  const stall = new StallWatch(LIMITS);
  stall.begin(0, queued);
  return stall;
}

Deno.test("StallWatch.stalls() waits for the stall time to be over", () => {
  const stall = watch(10);
  assert.equal(stall.stalls(999, { queued: 10, window: CLOSED }), false);
  assert.equal(stall.stalls(1000, { queued: 10, window: CLOSED }), true);
});

Deno.test("StallWatch.stalls() takes a window with room for one that is open", () => {
  assert.equal(watch(10).stalls(1000, { queued: 10, window: { available: 99 } }), true);
  assert.equal(watch(10).stalls(1000, { queued: 10, window: { available: 100 } }), false);
});

Deno.test("StallWatch.stalls() wants the least progress of a short queue, a share of a long one", () => {
  for (
    const [queued, progress, stalls] of [
      [10, 99, true],
      [10, 100, false],
      [1000, 499, true],
      [1000, 500, false],
    ] as const
  ) {
    const stall = watch(queued);
    stall.progress += progress;
    assert.equal(stall.stalls(1000, { queued, window: CLOSED }), stalls, `${queued} ${progress}`);
  }
});

Deno.test("StallWatch.stalls() begins anew after each look, with what is queued then", () => {
  const stall = watch(10);
  stall.progress = 100;
  assert.equal(stall.stalls(1000, { queued: 1000, window: CLOSED }), false);
  stall.progress += 499;
  assert.equal(stall.stalls(1999, { queued: 1000, window: CLOSED }), false);
  assert.equal(stall.stalls(2000, { queued: 1000, window: CLOSED }), true);
});
