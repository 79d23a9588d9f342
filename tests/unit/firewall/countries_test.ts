import assert from "node:assert/strict";
import { parseFirewallRule, parseNewRule } from "../../../lib/firewall/mod.ts";

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const CODES = LETTERS.flatMap((a) => LETTERS.map((b) => a + b));

Deno.test("parseNewRule() takes the 249 countries of ISO 3166-1 and Kosovo, and no other code", () => {
  const taken = CODES.filter((code) => parseNewRule("country", code).ok);
  assert.equal(taken.length, 250);
  // What the Unicode consortium calls a region, but for groups, outlying islands and old names.
  const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
  assert.deepEqual(taken.filter((code) => names.of(code) === undefined), []);
});

Deno.test("parseNewRule() says which country was meant, and stored rules go on", () => {
  assert.deepEqual(parseNewRule("country", "uk"), {
    ok: false,
    reason: "ISO 3166-1 has no country UK; did you mean GB?",
  });
  assert.deepEqual(parseNewRule("country", "qq"), {
    ok: false,
    reason: "ISO 3166-1 has no country QQ",
  });
  assert.deepEqual(parseFirewallRule("country", "uk"), { ok: true, value: "UK" });
});
