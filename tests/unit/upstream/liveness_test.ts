import assert from "node:assert/strict";
import { Liveness, PING_AFTER_MS, PING_TIMEOUT_MS } from "../../../lib/upstream/mod.ts";

Deno.test("check() asks after PING_AFTER_MS of silence and gives up PING_TIMEOUT_MS later", () => {
  const liveness = new Liveness(0);
  liveness.begin(0);
  assert.equal(liveness.check(PING_AFTER_MS - 1, true), undefined);
  assert.equal(liveness.check(PING_AFTER_MS, true), "ask");
  assert.equal(liveness.check(PING_AFTER_MS + 1, true), undefined, "it asks once");
  assert.equal(liveness.check(PING_AFTER_MS + PING_TIMEOUT_MS - 1, true), undefined);
  assert.equal(liveness.check(PING_AFTER_MS + PING_TIMEOUT_MS, true), "dead");
});

Deno.test("check() does not count the silence of an idle connection", () => {
  const liveness = new Liveness(0);
  assert.equal(liveness.check(60_000, false), undefined);
  liveness.begin(60_000);
  assert.equal(liveness.check(60_000 + PING_AFTER_MS - 1, true), undefined);
  assert.equal(liveness.check(60_000 + PING_AFTER_MS, true), "ask");
});

Deno.test("octets of any kind are an answer", () => {
  const liveness = new Liveness(0);
  liveness.begin(0);
  assert.equal(liveness.check(PING_AFTER_MS, true), "ask");
  liveness.heard(PING_AFTER_MS + PING_TIMEOUT_MS - 1);
  assert.equal(liveness.check(PING_AFTER_MS + PING_TIMEOUT_MS, true), undefined);
  assert.equal(liveness.check(2 * PING_AFTER_MS + PING_TIMEOUT_MS - 1, true), "ask");
});

Deno.test("the answer is waited for even when the request is gone meanwhile", () => {
  const liveness = new Liveness(0);
  liveness.begin(0);
  assert.equal(liveness.check(PING_AFTER_MS, true), "ask");
  assert.equal(liveness.check(PING_AFTER_MS + PING_TIMEOUT_MS, false), "dead");
});

Deno.test("the times are 15 s until the question and 10 s until the end, 25 s in all", () => {
  assert.deepEqual([PING_AFTER_MS, PING_TIMEOUT_MS], [15_000, 10_000]);
});

Deno.test("begin() counts from the first request of an idle connection, not from later ones", () => {
  const liveness = new Liveness(0);
  liveness.begin(60_000);
  liveness.begin(70_000);
  assert.equal(liveness.check(75_000 - 1, true), undefined);
  assert.equal(liveness.check(75_000, true), "ask");
  const zero = new Liveness(-PING_AFTER_MS);
  zero.begin(-PING_AFTER_MS);
  assert.equal(zero.check(0, true), "ask");
  assert.equal(zero.check(1, true), undefined);
  assert.equal(zero.check(PING_TIMEOUT_MS, true), "dead");
});

Deno.test("a connection that rested between two requests begins anew", () => {
  const liveness = new Liveness(0);
  liveness.begin(0);
  liveness.check(1000, false);
  liveness.begin(50_000);
  assert.equal(liveness.check(50_000 + PING_AFTER_MS - 1, true), undefined);
  assert.equal(liveness.check(50_000 + PING_AFTER_MS, true), "ask");
});
