import assert from "node:assert/strict";
import { BrokenWatch, type Clock, Link, type Watched } from "../../../lib/relay/mod.ts";

/** Counts timers that run. */
class CountingClock implements Clock {
  started = 0;
  readonly ticks = new Set<() => void>();
  now = () => 0;
  wallNow = () => 0;
  every(_ms: number, fn: () => void) {
    this.started++;
    this.ticks.add(fn);
    return () => void this.ticks.delete(fn);
  }
}

class Silent extends Link implements Watched {
  asked = 0;
  told = 0;
  isBroken = () => (this.asked++, false);
  onBroken = () => void this.told++;
}

Deno.test("a kept timer starts with the first that needs it, goes on without one, and ends when let go of", () => {
  const clock = new CountingClock();
  const watch = new BrokenWatch(clock);
  const release = watch.keep();
  assert.equal(clock.ticks.size, 0, "nothing has needed it");
  for (let i = 0; i < 3; i++) {
    const watched = new Silent();
    watch.add(watched);
    watch.delete(watched);
    assert.equal(clock.ticks.size, 1);
  }
  assert.equal(clock.started, 1);
  release();
  assert.equal(clock.ticks.size, 0);
});

Deno.test("a timer that is let go of runs until its last user has gone", () => {
  const clock = new CountingClock();
  const watch = new BrokenWatch(clock);
  const releases = [watch.keep(), watch.keep()];
  const watched = new Silent();
  watch.add(watched);
  for (const release of releases) release();
  for (const tick of clock.ticks) tick();
  assert.deepEqual([clock.ticks.size, watched.asked], [1, 1]);
  watch.delete(watched);
  assert.equal(clock.ticks.size, 0);
});

Deno.test("letting go twice counts once", () => {
  const clock = new CountingClock();
  const watch = new BrokenWatch(clock);
  const [first] = [watch.keep(), watch.keep()];
  const watched = new Silent();
  watch.add(watched);
  watch.delete(watched);
  first?.();
  first?.();
  assert.equal(clock.ticks.size, 1, "the other one keeps it");
});
