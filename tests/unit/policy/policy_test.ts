import assert from "node:assert/strict";
import { compileL7Policies, parseL7Policy } from "../../../lib/policy/mod.ts";

/** The id of the policy that refuses `fields`. */
function refusal(
  policies: readonly [type: "block_user_agent" | "require_header", value: string][],
  fields: readonly string[],
): number | undefined {
  const rows = policies.map(([type, value], i) => ({ id: i + 1, type, value }));
  return compileL7Policies(rows)(fields)?.id;
}

Deno.test("block_user_agent finds its text in any case", () => {
  const policies = [["block_user_agent", "EvilBot"]] as [["block_user_agent", string]];
  assert.equal(refusal(policies, ["user-agent", "Mozilla (evilBOT/1.0)"]), 1);
  assert.equal(refusal(policies, ["user-agent", "Mozilla"]), undefined);
  assert.equal(refusal(policies, ["x-other", "evilbot"]), undefined);
});

Deno.test("block_user_agent looks at every repeated field, and at all of them joined", () => {
  const policies = [["block_user_agent", "evil"], ["block_user_agent", "/a, b/"]] as const;
  const both = policies.map(([type, value]) => [type, value] as [typeof type, string]);
  assert.equal(refusal(both, ["user-agent", "fine", "user-agent", "EVIL"]), 1);
  assert.equal(refusal(both, ["user-agent", "a", "user-agent", "b"]), 2);
});

Deno.test("block_user_agent leaves absent and empty fields alone", () => {
  assert.equal(refusal([["block_user_agent", "x"]], []), undefined);
  assert.equal(refusal([["block_user_agent", "x"]], ["user-agent", ""]), undefined);
});

Deno.test("block_user_agent matches patterns in time that grows with the input only", () => {
  const policies: ["block_user_agent", string][] = [["block_user_agent", "/^(a+)+$/"]];
  // A backtracking engine needs about 2^60000 steps for this; a hung test is a failed test.
  assert.equal(refusal(policies, ["user-agent", `${"a".repeat(60_000)}!`]), undefined);
  assert.equal(refusal(policies, ["user-agent", "AAAA"]), 1);
});

Deno.test("block_user_agent takes a lone slash as text", () => {
  assert.equal(refusal([["block_user_agent", "/"]], ["user-agent", "curl/8"]), 1);
});

Deno.test("require_header wants a value, in whichever of repeated fields", () => {
  const policies: ["require_header", string][] = [["require_header", "X-Api-Key"]];
  assert.equal(refusal(policies, []), 1);
  assert.equal(refusal(policies, ["x-api-key", ""]), 1);
  assert.equal(refusal(policies, ["x-api-key", "", "x-api-key", "k"]), undefined);
  assert.equal(refusal(policies, ["x-api-key", "x".repeat(60_000)]), undefined);
});

Deno.test("the first policy that refuses is named", () => {
  const policies = [["require_header", "a"], ["require_header", "b"]] as const;
  const rows = policies.map(([type, value]) => [type, value] as [typeof type, string]);
  assert.equal(refusal(rows, ["a", "1"]), 2);
});

for (
  const [type, value, reason] of [
    ["block_user_agent", "", "the value is empty"],
    ["block_user_agent", "x".repeat(1025), "the value is over 1024 characters"],
    ["block_user_agent", "/(/", "missing closing"],
    ["block_user_agent", "/(?=x)/", "invalid or unsupported"],
    ["require_header", "a b", "not the name of a header field"],
    ["allow", "x", "not one of block_user_agent, require_header"],
  ] as const
) {
  Deno.test(`parseL7Policy() refuses ${type} ${JSON.stringify(value.slice(0, 10))}`, () => {
    const check = parseL7Policy(type, value);
    assert.equal(check.ok, false);
    assert.ok(!check.ok && check.reason.includes(reason), JSON.stringify(check));
  });
}

Deno.test("parseL7Policy() gives header names in lower case", () => {
  assert.deepEqual(parseL7Policy("require_header", "X-Api"), { ok: true, value: "x-api" });
});
