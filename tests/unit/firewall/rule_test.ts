import assert from "node:assert/strict";
import { parseFirewallRule } from "../../../lib/firewall/mod.ts";

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
