import assert from "node:assert/strict";
import { httpLimits } from "../../../lib/config/http_limits_settings.ts";
import { DEFAULT_HTTP_LIMITS } from "../../../lib/l7/mod.ts";
import { type Kind, Report } from "../../../lib/schema/mod.ts";
import { configOf, problemsOf, withDatabase } from "../../support/configs.ts";

/** What is said of a value of the right form. */
function problemsWith(kind: Kind<unknown>, value: unknown): number {
  const report = new Report();
  kind.check(value, { path: [], report });
  return report.problems.length;
}

/** The least and the most that each may be. */
const BOUNDS: Readonly<Record<keyof typeof DEFAULT_HTTP_LIMITS, readonly [number, number]>> = {
  maxRequestHead: [1024, 1_048_576],
  maxResponseHead: [1024, 1_048_576],
  maxFields: [16, 16_384],
  maxTrailers: [256, 1_048_576],
  maxChunkOverhead: [1024, 1_048_576],
  contentBuffer: [16_384, 1_048_576],
  headerTimeoutMs: [1000, 300_000],
  keepAliveTimeoutMs: [1000, 3_600_000],
  maxRequests: [0, 1_000_000_000],
  maxInterim: [0, 1000],
  maxInterimForwarded: [0, 1000],
};

Deno.test("[l7.limits] has the defaults of lib/l7, and a key for each limit of it", () => {
  assert.deepEqual(configOf(withDatabase("")).l7.limits, DEFAULT_HTTP_LIMITS);
  assert.deepEqual([...httpLimits.shape.fields.keys()].sort(), Object.keys(BOUNDS).sort());
});

for (const [name, [least, most]] of Object.entries(BOUNDS)) {
  Deno.test(`[l7.limits] takes ${name} from ${least} to ${most} and nothing beyond`, () => {
    const { kind } = httpLimits.shape.fields.get(name) ?? assert.fail(name);
    const found = [least - 1, least, most, most + 1].map((value) => problemsWith(kind, value));
    assert.deepEqual(found, [1, 0, 0, 1]);
  });
}

Deno.test("[l7.limits] says what is wrong with a size", () => {
  const text = (value: string) => `[l7.limits]\nmax_request_head = ${value}`;
  const problemWith = (value: string) => problemsOf(withDatabase(text(value))).join();
  assert.match(problemWith("65536"), /65536 has no unit; did you mean "65536B"\?/);
  assert.match(problemWith('"64K"'), /"64K" is not a size such as "512B", "64KiB" or "1MiB"/);
  assert.match(problemWith('"2MiB"'), /"2MiB" is not in the range 1KiB to 1MiB/);
  assert.match(problemWith("true"), /boolean instead of a size such as "64KiB"/);
});
