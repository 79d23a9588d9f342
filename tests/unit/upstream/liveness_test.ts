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
