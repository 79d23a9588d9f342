import assert from "node:assert/strict";
import { AttemptDeadlines, attemptTimeout } from "../../../lib/server/attempt_deadlines.ts";
import { DialError } from "../../../lib/relay/mod.ts";

/** A moment in which a slow machine does nothing else: a signal is shared for some milliseconds. */
const noon = () => 43_200_000;

/** Resolves with why a signal was aborted. */
function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));
}

Deno.test("attempts of one time share their deadline, those of another have their own", async () => {
  using deadlines = new AttemptDeadlines(noon);
  const short = deadlines.signal(20);
  assert.equal(deadlines.signal(20), short);
  const long = deadlines.signal(60_000);
  assert.notEqual(long, short);
  const reason = await reasonOf(short);
  assert.ok(reason instanceof DialError && reason.code === "timeout");
  assert.equal(long.aborted, false);
  assert.equal(deadlines.size, 2);
});

Deno.test("times that nobody dials within any more are forgotten, others are not", async () => {
  using deadlines = new AttemptDeadlines(noon);
  const kept = deadlines.signal(60_000);
  await reasonOf(deadlines.signal(10));
  deadlines.signal(60_001);
  assert.equal(deadlines.size, 2);
  assert.equal(deadlines.signal(60_000), kept);
});

Deno.test("disposing of the deadlines ends every attempt, and later ones at once", () => {
  const deadlines = new AttemptDeadlines();
  const signal = deadlines.signal(60_000);
  deadlines[Symbol.dispose]();
  assert.ok(signal.aborted);
  assert.ok(deadlines.signal(60_000).aborted);
  assert.ok(deadlines.signal(50_000).aborted);
});

Deno.test("attemptTimeout() gives each attempt its part of what is left, and the last one all", () => {
  assert.equal(attemptTimeout({ totalMs: 1200, spentMs: 0 }, 3), 400);
  assert.equal(attemptTimeout({ totalMs: 1200, spentMs: 400 }, 2), 400);
  assert.equal(attemptTimeout({ totalMs: 1200, spentMs: 800 }, 1), 400);
  assert.equal(attemptTimeout({ totalMs: 1200, spentMs: 1200 }, 1), 0);
  assert.equal(attemptTimeout({ totalMs: 1200, spentMs: 0 }, 1), 1200);
});
