import assert from "node:assert/strict";
import {
  compileFirewall,
  createFirewall,
  FirewallRuleError,
  type GeoIp,
  patchFirewall,
} from "../../../lib/firewall/mod.ts";
import { type IpAddress } from "../../../lib/addr/mod.ts";
import { blockedBy, ip, rule } from "../../support/firewall_rules.ts";

const NESTED = [
  rule(1, "cidr", "0.0.0.0/0"),
  rule(2, "cidr", "10.0.0.0/8"),
  rule(3, "cidr", "10.1.0.0/16"),
  rule(4, "cidr", "10.1.2.3/32"),
  rule(5, "ip", "10.1.2.3"),
  rule(6, "cidr", "2001:db8::/32"),
  rule(7, "ip", "2001:db8::1"),
  rule(8, "cidr", "2001:db8:0:0:8000::/65"),
];

Deno.test.each([
  ["11.0.0.1", 1],
  ["10.255.255.255", 2],
  ["10.1.255.255", 3],
  ["10.1.2.2", 3],
  ["10.1.2.3", 5],
  ["::ffff:10.1.2.3", 5],
  ["2001:db8::1", 7],
  ["2001:db8::2", 6],
  ["2001:db8:0:0:8000::1", 8],
  ["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["2001:db9::", undefined],
  ["::", undefined],
])("check() of %s names rule %s, the most specific", (address, id) => {
  assert.equal(blockedBy(compileFirewall(NESTED), address), id);
  assert.equal(blockedBy(compileFirewall(NESTED.toReversed()), address), id);
});

Deno.test("check() returns the rule as it was given", () => {
  const firewall = createFirewall(compileFirewall(NESTED));
  for (const { id, type, value } of NESTED) {
    if (type !== "ip") continue;
    assert.deepEqual(firewall.check(ip(value)), { action: "block", rule: { id, type, value } });
  }
  const big = rule(2 ** 52 + 1, "cidr", "2001:db8:ffff::/48");
  assert.deepEqual(createFirewall(compileFirewall([big])).check(ip("2001:db8:ffff::")), {
    action: "block",
    rule: big,
  });
});

Deno.test("check() allows everything without rules, with one object for all", () => {
  const firewall = createFirewall(compileFirewall([]));
  const allowed = firewall.check(ip("192.0.2.1"));
  assert.deepEqual(allowed, { action: "allow" });
  assert.equal(firewall.check(ip("::1")), allowed);
});

Deno.test("an IPv4 block never covers an IPv6 address, nor the reverse", () => {
  assert.equal(blockedBy(compileFirewall([rule(1, "cidr", "0.0.0.0/0")]), "::1"), undefined);
  assert.equal(blockedBy(compileFirewall([rule(1, "cidr", "::/0")]), "0.0.0.1"), undefined);
  // A block outside ::ffff:0:0/96 that covers it is still IPv6 only.
  assert.equal(blockedBy(compileFirewall([rule(1, "cidr", "::/80")]), "1.2.3.4"), undefined);
});

Deno.test("compileFirewall() refuses a value that no parser accepts", () => {
  for (const bad of [rule(9, "ip", "1.2.3"), rule(9, "cidr", "10.0.0.1/8")]) {
    assert.throws(() => compileFirewall([rule(1, "ip", "::1"), bad]), (error) => {
      return error instanceof FirewallRuleError && error.code === "invalid_firewall_rule" &&
        error.rule === bad;
    });
  }
});

Deno.test("compileFirewall() accepts a mapped IPv4 value that was not made canonical", () => {
  const compiled = compileFirewall([rule(1, "ip", "::ffff:192.0.2.1"), rule(2, "ip", "::1")]);
  assert.equal(blockedBy(compiled, "192.0.2.1"), 1);
  assert.equal(blockedBy(compiled, "::1"), 2);
});

Deno.test("a country rule applies to the address's country after the address rules", () => {
  const geoip: GeoIp = {
    country: (address) => address.family === 4 ? "NL" : undefined,
    buildEpoch: 0,
    databaseType: "fake",
    decodeErrors: 0,
  };
  const compiled = compileFirewall([
    rule(1, "country", "NL"),
    rule(2, "ip", "192.0.2.1"),
    rule(3, "country", "__"),
  ]);
  assert.equal(blockedBy(compiled, "192.0.2.2", geoip), 1);
  assert.equal(blockedBy(compiled, "192.0.2.1", geoip), 2);
  assert.equal(blockedBy(compiled, "::1", geoip), undefined);
  assert.equal(blockedBy(compiled, "192.0.2.2"), undefined);
  assert.equal(blockedBy(patchFirewall(compiled, { remove: [1] }), "192.0.2.2", geoip), undefined);
});

Deno.test("check() asks for the country only when a country rule exists", () => {
  const geoip: GeoIp = {
    country: () => assert.fail("asked"),
    buildEpoch: 0,
    databaseType: "fake",
    decodeErrors: 0,
  };
  assert.equal(blockedBy(compileFirewall(NESTED.slice(1)), "192.0.2.1", geoip), undefined);
});

Deno.test("patchFirewall() falls back to the next rule that covers, down to none", () => {
  let compiled = compileFirewall(NESTED);
  for (const [remove, id] of [[5, 4], [4, 3], [3, 2], [2, 1], [1, undefined]] as const) {
    compiled = patchFirewall(compiled, { remove: [remove] });
    assert.equal(blockedBy(compiled, "10.1.2.3"), id);
  }
  assert.equal(blockedBy(compiled, "2001:db8::1"), 7);
});

Deno.test("patchFirewall() leaves the table it was given as it was", () => {
  const compiled = compileFirewall(NESTED);
  patchFirewall(compiled, { remove: [5], add: [rule(20, "ip", "10.9.9.9")] });
  assert.equal(blockedBy(compiled, "10.1.2.3"), 5);
  assert.equal(blockedBy(compiled, "10.9.9.9"), 2);
});

Deno.test("patchFirewall() adds, removes what it added, and adds it again", () => {
  let compiled = compileFirewall(NESTED);
  compiled = patchFirewall(compiled, { add: [rule(20, "ip", "10.1.2.4")] });
  assert.equal(blockedBy(compiled, "10.1.2.4"), 20);
  compiled = patchFirewall(compiled, { remove: [20, 999] });
  assert.equal(blockedBy(compiled, "10.1.2.4"), 3);
  compiled = patchFirewall(compiled, { remove: [5], add: [rule(5, "ip", "10.1.2.3")] });
  assert.equal(blockedBy(compiled, "10.1.2.3"), 5);
});

Deno.test("a structured clone decides the same and shares the tables", () => {
  const compiled = patchFirewall(compileFirewall(NESTED), { remove: [5] });
  const clone = structuredClone(compiled);
  assert.equal(blockedBy(clone, "10.1.2.3"), 4);
  new Int32Array(compiled.v4.base.slots.buffer).fill(0);
  assert.equal(blockedBy(clone, "10.1.2.3"), undefined);
});

/** Ways to write 192.0.2.33 as IPv6, of which a PROXY header may claim any. */
const DISGUISES = [
  "::ffff:192.0.2.33",
  "::192.0.2.33",
  "::ffff:0:192.0.2.33",
  "64:ff9b::192.0.2.33",
  "64:ff9b:1::192.0.2.33",
  "64:ff9b:1:c000:2:2100::",
  "2002:c000:221::1",
  "2001:0:4136:e378:8000:63bf:3fff:fdde",
];

Deno.test.each(DISGUISES)("a rule of an IPv4 address also blocks it as %s", (address) => {
  assert.equal(blockedBy(compileFirewall([rule(1, "ip", "192.0.2.33")]), address), 1);
  assert.equal(blockedBy(compileFirewall([rule(2, "cidr", "192.0.2.0/24")]), address), 2);
  assert.equal(blockedBy(compileFirewall([rule(3, "ip", "192.0.2.34")]), address), undefined);
  const geoip = {
    country: ({ family, w3 }: IpAddress) => family === 4 && w3 === 0xc0000221 ? "ZZ" : undefined,
  } as GeoIp;
  assert.equal(blockedBy(compileFirewall([rule(4, "country", "ZZ")]), address, geoip), 4);
});

Deno.test("a rule of the IPv6 form comes before that of the IPv4 address in it", () => {
  const compiled = compileFirewall([rule(1, "ip", "192.0.2.33"), rule(2, "cidr", "2002::/16")]);
  assert.equal(blockedBy(compiled, "2002:c000:221::1"), 2);
});
