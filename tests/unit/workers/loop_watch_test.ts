import assert from "node:assert/strict";
import { LoopWatch } from "../../../lib/workers/loop_watch.ts";
import { VITAL_SIGNS_BYTES, VitalSigns } from "../../../lib/workers/vital_signs.ts";

/** A machine with a clock, threads that spend what they are told to, and a watch over two workers. */
function machine() {
  const buffers = [0, 1].map(() => new SharedArrayBuffer(VITAL_SIGNS_BYTES));
  const spent = [0, 0];
  let main = 0;
  let helpers = 0;
  let now = 0;
  const watch = new LoopWatch({
    now: () => now,
    loopCpuMs: 1000,
    cpu: { process: () => main + helpers + (spent[0] ?? 0) + (spent[1] ?? 0), thread: () => main },
  });
  const signs = buffers.map((buffer) => new VitalSigns(buffer));
  for (const one of signs) watch.add(one);
  return {
    watch,
    signs,
    /** Time passes, in which worker `index` spends processor time and may turn. */
    run(
      index: number,
      { wallMs, cpuMs, turns }: { wallMs: number; cpuMs: number; turns: boolean },
    ) {
      now += wallMs;
      spent[index] = (spent[index] ?? 0) + cpuMs;
      const buffer = buffers[index];
      assert(buffer !== undefined);
      const values = new Float64Array(buffer);
      if (turns) values.set([(values[0] ?? 0) + 1, spent[index] ?? 0]);
    },
    spendMain: (ms: number) => void (main += ms),
    spendHelpers: (ms: number) => void (helpers += ms),
    verdicts: () => {
      const found = watch.look();
      return signs.map((one) => found.get(one));
    },
  };
}

Deno.test("LoopWatch reports a thread that spends processor time and does not turn", () => {
  const { run, verdicts } = machine();
  run(0, { wallMs: 0, cpuMs: 0, turns: true });
  run(1, { wallMs: 1, cpuMs: 0, turns: true });
  verdicts();
  run(0, { wallMs: 999, cpuMs: 999, turns: false });
  run(1, { wallMs: 0, cpuMs: 0, turns: true });
  assert.deepEqual(verdicts().map((it) => it?.isLoop), [false, false]);
  run(0, { wallMs: 1, cpuMs: 1, turns: false });
  run(1, { wallMs: 0, cpuMs: 0, turns: true });
  assert.deepEqual(verdicts().map((it) => it?.isLoop), [true, false]);
});

Deno.test("LoopWatch bears with a thread that gets no processor time, however long", () => {
  const { run, verdicts } = machine();
  run(0, { wallMs: 3_600_000, cpuMs: 10, turns: false });
  run(1, { wallMs: 0, cpuMs: 0, turns: true });
  assert.deepEqual(verdicts(), [
    { silentMs: 3_600_000, isLoop: false },
    { silentMs: 0, isLoop: false },
  ]);
});

Deno.test("LoopWatch starts anew with each turn", () => {
  const { run, verdicts } = machine();
  for (let i = 0; i < 10; i++) {
    run(0, { wallMs: 900, cpuMs: 900, turns: false });
    assert.equal(verdicts()[0]?.isLoop, false);
    run(0, { wallMs: 0, cpuMs: 0, turns: true });
    run(1, { wallMs: 0, cpuMs: 0, turns: true });
    assert.deepEqual(verdicts()[0], { silentMs: 0, isLoop: false });
  }
});

Deno.test("LoopWatch does not hold against a silent thread what others have spent", () => {
  const { run, spendMain, spendHelpers, verdicts } = machine();
  // Worker 1 and the main thread are busy; half as much again goes to threads that help them.
  for (let i = 0; i < 20; i++) {
    run(1, { wallMs: 1000, cpuMs: 1000, turns: true });
    spendMain(1000);
    spendHelpers(1000);
  }
  assert.deepEqual(verdicts()[0], { silentMs: 20_000, isLoop: false });
});

Deno.test("LoopWatch accuses nobody of what one of two silent threads may have spent", () => {
  const { run, verdicts } = machine();
  run(0, { wallMs: 1000, cpuMs: 1999, turns: false });
  assert.deepEqual(verdicts().map((it) => it?.isLoop), [false, false]);
  run(0, { wallMs: 1, cpuMs: 1, turns: false });
  assert.deepEqual(verdicts().map((it) => it?.isLoop), [true, true]);
});

Deno.test("LoopWatch keeps what a thread had spent that is watched no more", () => {
  const { watch, signs, run, verdicts } = machine();
  run(1, { wallMs: 1000, cpuMs: 5000, turns: true });
  verdicts();
  assert(signs[1] !== undefined);
  watch.remove(signs[1]);
  run(0, { wallMs: 1000, cpuMs: 0, turns: false });
  assert.deepEqual(verdicts(), [{ silentMs: 2000, isLoop: false }, undefined]);
});

Deno.test("VitalSigns.turn() counts turns and the time of this thread", () => {
  const signs = new VitalSigns(new SharedArrayBuffer(VITAL_SIGNS_BYTES));
  signs.turn();
  const before = signs.cpuMs;
  let turns = 1;
  // The clock of a thread moves by ticks, and not while others have the processor.
  for (const until = performance.now() + 30_000; signs.cpuMs === before; turns++) {
    assert(performance.now() < until, "the clock moves");
    signs.turn();
  }
  assert.equal(signs.turns, turns);
  assert(signs.cpuMs > before && signs.cpuMs < before + 60_000);
});
