import assert from "node:assert/strict";
import {
  parseFirewallRule,
  parseNewRule,
  RULE_TYPES,
  ruleValueDoc,
} from "../../../lib/firewall/mod.ts";

Deno.test.each([
  ["ip", "192.0.2.1", "192.0.2.1"],
  ["ip", "::FFFF:192.0.2.1", "192.0.2.1"],
  ["ip", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["cidr", "10.0.0.0/8", "10.0.0.0/8"],
  ["cidr", "192.0.2.1/32", "192.0.2.1/32"],
  ["cidr", "0.0.0.0/0", "0.0.0.0/0"],
  ["cidr", "::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ["country", "de", "DE"],
  ["country", "XK", "XK"],
])("parseFirewallRule() of %s %s is %s", (type, value, want) => {
  assert.deepEqual(parseFirewallRule(type, value), { ok: true, value: want });
  assert.deepEqual(parseFirewallRule(type, want), { ok: true, value: want });
});

Deno.test.each([
  ["ip", "10.0.0.0/8"],
  ["ip", "1..2.3"],
  ["ip", "0x7f.0.0.1"],
  ["ip", ""],
  ["cidr", "10.0.0.1"],
  ["cidr", "10.0.0.1/8"],
  ["cidr", "10.0.0.0/33"],
  ["country", "DEU"],
  ["country", "D"],
  ["country", "D1"],
  ["country", " DE"],
  ["country", "DE\n"],
  // U+212A folds to "k": it must not become a rule against "KR".
  ["country", "\u212ar"],
  ["asn", "64512"],
  ["", ""],
  ["__proto__", "x"],
])("parseFirewallRule() refuses %s %j", (type, value) => {
  const parsed = parseFirewallRule(type, value);
  assert.equal(parsed.ok, false);
  assert(!parsed.ok && parsed.reason.length > 0);
});

Deno.test.each([
  ["ip", "192.0.2", "not an IPv4 or IPv6 address"],
  ["cidr", "192.0.2.1", "it has no prefix length; 192.0.2.1/32 is this address alone"],
  ["cidr", "2001:DB8::1", "it has no prefix length; 2001:db8::1/128 is this address alone"],
  ["cidr", "x", 'no "/" and prefix length'],
  ["country", "DEU", "a country is two letters A–Z (ISO 3166-1 alpha-2)"],
  ["asn", "64512", "a rule's type is one of ip, cidr, country"],
])("parseFirewallRule() and parseNewRule() say of %s %s: %s", (type, value, reason) => {
  assert.deepEqual(parseFirewallRule(type, value), { ok: false, reason });
  assert.deepEqual(parseNewRule(type, value), { ok: false, reason });
});

Deno.test.each([["ip", "192.0.2.1"], ["cidr", "192.0.2.0/24"], ["country", "NL"]])(
  "parseNewRule() takes %s %s",
  (type, value) => {
    assert.deepEqual(parseNewRule(type, value), { ok: true, value });
  },
);

Deno.test("every type of rule has a word for the documentation", () => {
  assert.deepEqual(RULE_TYPES.map(ruleValueDoc), [
    "IP address",
    "CIDR block",
    "two-letter country code (ISO 3166-1)",
  ]);
});
