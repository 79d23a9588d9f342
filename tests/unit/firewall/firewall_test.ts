import assert from "node:assert/strict";
import {
  type CompiledFirewall,
  compileFirewall,
  createFirewall,
  type FirewallRule,
  FirewallRuleError,
  type GeoIp,
  MAX_OVERLAY_RULES,
  patchFirewall,
  type RuleType,
} from "../../../lib/firewall/mod.ts";
import {
  type Cidr,
  cidrContains,
  formatCidr,
  formatIp,
  type IpAddress,
  ipFromBytes,
  ipToBytes,
  parseCidr,
  parseIp,
} from "../../../lib/addr/mod.ts";
import { hash4 } from "../../../lib/firewall/_prefix_hash.ts";
import { createRandom, type Random } from "../../support/fuzz.ts";

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function rule(id: number, type: RuleType, value: string): FirewallRule {
  return { id, type, value };
}

function blockedBy(compiled: CompiledFirewall, address: string, geoip?: GeoIp): number | undefined {
  const verdict = createFirewall(compiled, geoip).check(ip(address));
  return verdict.action === "block" ? verdict.rule.id : undefined;
}

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

/** The definition: the most specific of all rules that cover the address. */
class NaiveFirewall {
  readonly rules = new Map<number, { rule: FirewallRule; cidr: Cidr }>();

  add(added: FirewallRule): void {
    const suffix = added.value.includes(":") ? "/128" : "/32";
    const cidr = parseCidr(added.type === "ip" ? added.value + suffix : added.value);
    assert(cidr.ok);
    this.rules.set(added.id, { rule: added, cidr: cidr.value });
  }

  check(address: IpAddress): FirewallRule | undefined {
    let best: { rule: FirewallRule; cidr: Cidr } | undefined;
    const rank = (entry: { rule: FirewallRule; cidr: Cidr }) =>
      entry.cidr.prefixLength * 2 + Number(entry.rule.type === "ip");
    for (const entry of this.rules.values()) {
      if (!cidrContains(entry.cidr, address)) continue;
      if (best === undefined || rank(entry) > rank(best)) best = entry;
    }
    return best?.rule;
  }
}

/** Few distinct bits, so that rules nest and addresses hit them. */
function randomAddress(random: Random, family: 4 | 6): IpAddress {
  const bytes = ipToBytes(ip(family === 4 ? "10.0.0.0" : "2001:db8::"));
  for (let i = 0; i < 3; i++) {
    bytes[random.below(bytes.length)] = [0, 1, 0x80, 0xff][random.below(4)] ?? 0;
  }
  return ipFromBytes(bytes);
}

function randomRule(random: Random, id: number): FirewallRule {
  const address = randomAddress(random, random.below(2) === 0 ? 4 : 6);
  if (random.below(3) === 0) return rule(id, "ip", formatIp(address));
  const max = address.family === 4 ? 32 : 128;
  const prefixLength = random.below(max + 1);
  const bytes = ipToBytes(address);
  for (let bit = prefixLength; bit < max; bit++) {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  }
  // Clearing bits may leave a mapped address, whose block is an IPv4 block of another length.
  const masked = ipFromBytes(bytes);
  if (masked.family !== address.family) return rule(id, "ip", formatIp(address));
  return rule(id, "cidr", formatCidr({ address: masked, prefixLength }));
}

/** What the database guarantees: no two rules with the same type and value. */
function distinctRules(random: Random, count: number, firstId: number): FirewallRule[] {
  const byValue = new Map<string, FirewallRule>();
  for (let id = firstId; id < firstId + count; id++) {
    const made = randomRule(random, id);
    byValue.set(`${made.type} ${made.value}`, made);
  }
  return [...byValue.values()];
}

function assertAgree(compiled: CompiledFirewall, naive: NaiveFirewall, random: Random): void {
  const firewall = createFirewall(compiled);
  for (let i = 0; i < 300; i++) {
    const address = randomAddress(random, i % 2 === 0 ? 4 : 6);
    const want = naive.check(address);
    assert.deepEqual(
      firewall.check(address),
      want === undefined ? { action: "allow" } : { action: "block", rule: want },
      formatIp(address),
    );
  }
}

Deno.test.each([[1], [2], [3], [4], [5], [6]])(
  "check() agrees with a scan over all rules, also after patches (seed %i)",
  (seed) => {
    const random = createRandom(seed);
    const naive = new NaiveFirewall();
    const rules = distinctRules(random, [1, 10, 100, 500][seed % 4] ?? 0, 1);
    for (const one of rules) naive.add(one);
    let compiled = compileFirewall(rules);
    assertAgree(compiled, naive, random);

    const values = new Set(rules.map(({ type, value }) => `${type} ${value}`));
    for (let round = 0; round < 12; round++) {
      const add = distinctRules(random, 8, 10_000 + round * 100)
        .filter(({ type, value }) => !values.has(`${type} ${value}`));
      const remove = [...naive.rules.keys()].filter(() => random.below(10) === 0);
      for (const id of remove) {
        const gone = naive.rules.get(id)?.rule;
        values.delete(`${gone?.type} ${gone?.value}`);
        naive.rules.delete(id);
      }
      for (const one of add) {
        naive.add(one);
        values.add(`${one.type} ${one.value}`);
      }
      compiled = patchFirewall(compiled, { add, remove });
      assertAgree(compiled, naive, random);
    }
  },
);

Deno.test("patchFirewall() compiles the table anew when the changes pass their bound", () => {
  const address = (n: number) => `10.${n >> 16}.${n >> 8 & 255}.${n & 255}`;
  const rules = Array.from({ length: 5000 }, (_, i) => rule(i, "ip", address(i)));
  let compiled = compileFirewall(rules.slice(0, 100));
  compiled = patchFirewall(compiled, { add: rules.slice(100, 100 + MAX_OVERLAY_RULES) });
  assert.equal(compiled.v4.base.rules.ids.length, 100);
  assert.equal(compiled.v4.added.rules.ids.length, MAX_OVERLAY_RULES);
  compiled = patchFirewall(compiled, { remove: [0] });
  assert.equal(compiled.v4.base.rules.ids.length, 99 + MAX_OVERLAY_RULES);
  assert.equal(compiled.v4.added.rules.ids.length, 0);
  assert.equal(compiled.v4.removed.length, 0);
  const firewall = createFirewall(compiled);
  for (let i = 0; i < 5000; i++) {
    const action = firewall.check(ip(address(i))).action;
    assert.equal(action, i > 0 && i < 100 + MAX_OVERLAY_RULES ? "block" : "allow", address(i));
  }
});

Deno.test("check() finds every rule of a table large enough to have its search planned", () => {
  const random = createRandom(7);
  const rules: FirewallRule[] = [];
  for (let i = 0; i < 20_000; i++) {
    const third = `${i >> 8}.${i & 255}`;
    rules.push(rule(i * 2, "ip", `10.${third}.${1 + random.below(200)}`));
    if (i % 8 === 0) rules.push(rule(i * 2 + 1, "cidr", `10.${third}.0/${24 + random.below(2)}`));
  }
  rules.push(rule(-1, "cidr", "10.0.0.0/9"), rule(-2, "cidr", "8.0.0.0/5"));
  const compiled = compileFirewall(rules);
  const firewall = createFirewall(compiled);
  for (const { id, type, value } of rules) {
    if (type !== "ip") continue;
    const verdict = firewall.check(ip(value));
    assert(verdict.action === "block" && verdict.rule.id === id, value);
  }
  assert.equal(blockedBy(compiled, "10.0.0.0"), 1);
  assert.equal(blockedBy(compiled, "10.0.1.255"), -1);
  assert.equal(blockedBy(compiled, "10.128.0.1"), -2);
  assert.equal(blockedBy(compiled, "16.0.0.1"), undefined);
});

Deno.test("prefixes chosen to collide in the hash table get spread by another seed", () => {
  // A block list written by someone who knows the first seed: all start in the same slot of 8,192.
  const slotOf = (word: number) => hash4(33, word) & 8191;
  const rules: FirewallRule[] = [];
  for (let word = 0; rules.length < 400; word++) {
    if (slotOf(word) === 7) {
      rules.push(
        rule(word, "ip", `${word >>> 24}.${word >>> 16 & 255}.${word >>> 8 & 255}.${word & 255}`),
      );
    }
  }
  // Others fill the table, so that it has that size.
  for (let i = 0; i < 3000; i++) rules.push(rule(-i - 1, "ip", `200.0.${i >> 8}.${i & 255}`));
  const compiled = compileFirewall(rules);
  assert.notEqual(compiled.v4.base.seed, 1);
  const firewall = createFirewall(compiled);
  for (const { id, value } of rules) {
    const verdict = firewall.check(ip(value));
    assert(verdict.action === "block" && verdict.rule.id === id);
  }
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

Deno.test("a rule that was added later is found among those of the table by the same rules", () => {
  const compiled = compileFirewall([
    rule(1, "ip", "10.0.0.1"),
    rule(2, "cidr", "10.0.0.0/16"),
    rule(3, "ip", "2001:db8::1"),
  ]);
  const patched = patchFirewall(compiled, {
    add: [
      rule(11, "cidr", "10.0.0.0/8"),
      rule(12, "cidr", "10.0.0.0/16"),
      rule(13, "cidr", "10.0.0.1/32"),
      rule(14, "ip", "2001:db8::1"),
    ],
  });
  // More specific wins, whichever table it is in; of two equal ones the later.
  assert.equal(blockedBy(patched, "10.0.0.1"), 1);
  assert.equal(blockedBy(patched, "10.0.0.2"), 12);
  assert.equal(blockedBy(patched, "10.1.0.0"), 11);
  assert.equal(blockedBy(patched, "2001:db8::1"), 14);
  assert.equal(blockedBy(patchFirewall(patched, { remove: [12, 14] }), "10.0.0.2"), 2);
  assert.equal(blockedBy(patchFirewall(patched, { remove: [1] }), "10.0.0.1"), 13);
});

Deno.test("patchFirewall() puts a rule in the place of one that was added before", () => {
  const base = compileFirewall([rule(1, "ip", "10.0.0.1")]);
  const first = patchFirewall(base, { add: [rule(2, "ip", "10.0.0.2")] });
  const second = patchFirewall(first, { remove: [2], add: [rule(3, "ip", "10.0.0.3")] });
  assert.deepEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((it) => blockedBy(second, it)), [
    1,
    undefined,
    3,
  ]);
});

Deno.test.each([[1], [15], [16], [17], [40]])(
  "patchFirewall() removes %i rules at once",
  (count) => {
    const rules = Array.from({ length: 41 }, (_, i) => rule(i + 1, "ip", `10.0.0.${i}`));
    const remove = rules.slice(0, count).map(({ id }) => id);
    const patched = patchFirewall(compileFirewall(rules), { remove: [...remove, 999] });
    const left = rules.filter(({ value }) => blockedBy(patched, value) !== undefined);
    assert.deepEqual(left, rules.slice(count));
  },
);
