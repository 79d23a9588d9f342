import assert from "node:assert/strict";
import { runAtOnce, runInSlices } from "../../../lib/slices/mod.ts";

function* busy(ms: number, steps: number): Generator<undefined, string> {
  for (let i = 0; i < steps; i++) {
    const until = performance.now() + ms;
    while (performance.now() < until);
    yield;
  }
  return "done";
}

Deno.test("runInSlices() lets others have their turns, and brackets each slice", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  let inside = 0;
  let slices = 0;
  const enter = () => {
    inside++;
    slices++;
  };
  const leave = () => inside--;
  const answer = await runInSlices(busy(3, 20), { enter, leave });
  clearInterval(timer);
  assert.equal(answer, "done");
  assert.equal(inside, 0);
  assert.ok(slices > 3, `${slices} slices`);
  assert.ok(turns >= slices - 1, `${turns} turns of others between ${slices} slices`);
});

Deno.test("runInSlices() leaves a slice that throws", async () => {
  let inside = 0;
  const steps = function* (): Generator<undefined, void> {
    yield;
    throw new Error("thrown by the test");
  };
  const work = runInSlices(steps(), { enter: () => inside++, leave: () => inside-- });
  await assert.rejects(work, /thrown by the test/);
  assert.equal(inside, 0);
});

Deno.test("runInSlices() ends between two slices when its signal is aborted", async () => {
  const aborter = new AbortController();
  const steps = busy(3, 1000);
  const work = runInSlices(steps, { signal: aborter.signal });
  setTimeout(() => aborter.abort(new Error("enough")), 20);
  await assert.rejects(work, /enough/);
  assert.equal(steps.next().done, false, "it had not come to its end");
});

Deno.test("runAtOnce() goes to the end", () => {
  assert.equal(runAtOnce(busy(0, 3)), "done");
});
