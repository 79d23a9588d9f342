import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import {
  DEFAULT_FIELD_SETTINGS,
  FieldRules,
  isForwardingField,
} from "../../../lib/l7/field_rules.ts";

function ip(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

Deno.test("isForwardingField() knows what proxies say, and nothing else", () => {
  for (const name of ["x-forwarded-ssl", "x-forwarded", "x-original-url", "proxy", "forwarded"]) {
    assert.ok(isForwardingField(name), name);
  }
  for (
    const name of ["x-forward", "original-url", "x-api-key", "proxy-status", "user-agent", "x-"]
  ) {
    assert.ok(!isForwardingField(name), name);
  }
});

Deno.test("FieldRules.ambiguousName() refuses every underscore, or those that hide a meaning", () => {
  const strict = new FieldRules();
  const lax = new FieldRules({ ...DEFAULT_FIELD_SETTINGS, refuseUnderscores: false });
  for (const name of ["x_forwarded_for", "content_length", "user_agent", "x.forwarded.for"]) {
    assert.equal(strict.ambiguousName(["a", "1", name, "2"]), name);
    assert.equal(lax.ambiguousName(["a", "1", name, "2"]), name);
  }
  assert.equal(strict.ambiguousName(["x_api_key", "1"]), "x_api_key");
  for (const name of ["x_api_key", "__proto__"]) {
    assert.equal(lax.ambiguousName([name, "x_forwarded_for"]), undefined);
  }
  assert.equal(strict.ambiguousName(["x-a", "b_c", "x.y", "1", "!", "1"]), undefined);
});

Deno.test("FieldRules.believes() knows addresses and blocks, also as IPv4-mapped", () => {
  const rules = new FieldRules({
    ...DEFAULT_FIELD_SETTINGS,
    trustedForwarding: ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"],
  });
  for (const text of ["192.0.2.1", "10.255.0.1", "2001:db8::1", "::ffff:10.0.0.1"]) {
    assert.ok(rules.believes(ip(text)), text);
  }
  for (const text of ["192.0.2.2", "11.0.0.1", "2001:db9::1", "::a00:1"]) {
    assert.ok(!rules.believes(ip(text)), text);
  }
  assert.ok(!new FieldRules().believes(ip("127.0.0.1")), "nobody by default");
  const odd = { ...DEFAULT_FIELD_SETTINGS, trustedForwarding: ["a.test"] };
  assert.throws(() => new FieldRules(odd), TypeError);
});
