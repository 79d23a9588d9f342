import assert from "node:assert/strict";
import { DEFAULT_HTTP_LIMITS } from "../../../lib/l7/http_limits.ts";
import { Interim } from "../../../lib/l7/interim.ts";
import type { BackendFailure } from "../../../lib/l7/message.ts";
import { mayRepeat } from "../../../lib/l7/retry.ts";

Deno.test("Interim passes 8 heads on, drops up to 64, and then it is enough", () => {
  const interim = new Interim(DEFAULT_HTTP_LIMITS);
  const verdicts = Array.from({ length: 65 }, () => interim.judge(103));
  assert.deepEqual(verdicts.slice(0, 8), new Array(8).fill("pass"));
  assert.deepEqual(verdicts.slice(8, 64), new Array(56).fill("drop"));
  assert.equal(typeof verdicts[64], "object");
});

Deno.test("Interim drops 100, which this hop has sent, and refuses a 101", () => {
  const interim = new Interim(DEFAULT_HTTP_LIMITS);
  assert.equal(interim.judge(100), "drop");
  assert.deepEqual(interim.judge(101), { reason: "the backend switched protocols unasked" });
});

Deno.test("mayRepeat() wants no octet of an answer, and a safe method or a certain refusal", () => {
  const failure: BackendFailure = {
    kind: "reset",
    reason: "gone",
    unprocessed: false,
    untouched: true,
    code: 0,
  };
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE"]) {
    assert.equal(mayRepeat(failure, method), true);
    assert.equal(mayRepeat({ ...failure, untouched: false }, method), false);
    assert.equal(mayRepeat({ ...failure, kind: "invalid" }, method), false);
  }
  for (const method of ["POST", "PUT", "DELETE", "get", "FOO"]) {
    assert.equal(mayRepeat(failure, method), false);
    assert.equal(mayRepeat({ ...failure, unprocessed: true }, method), true);
  }
});
