import assert from "node:assert/strict";
import { FakeClock } from "../../support/clock.ts";

Deno.test("FakeClock.advance() runs timers in the order in which they fall due", () => {
  const clock = new FakeClock(1000);
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name}@${clock.now()}`);
  clock.setTimeout(note("late"), 20);
  clock.setTimeout(() => clock.setTimeout(note("nested"), 5), 10);
  const cancelled = clock.setTimeout(note("cancelled"), 12);
  clock.clearTimeout(cancelled);
  clock.setTimeout(note("beyond"), 31);
  clock.advance(30);
  assert.deepEqual(ran, ["nested@1015", "late@1020"]);
  assert.equal(clock.now(), 1030);
  assert.equal(clock.pending, 1);
});
