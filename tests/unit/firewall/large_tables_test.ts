/** Tables of many rules, and changes of them, against a list that is walked through. */
import assert from "node:assert/strict";
import {
  type CompiledFirewall,
  compileFirewall,
  createFirewall,
  type FirewallRule,
  MAX_OVERLAY_RULES,
  patchFirewall,
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
} from "../../../lib/addr/mod.ts";
import { hash4 } from "../../../lib/firewall/_prefix_hash.ts";
import { createRandom, type Random } from "../../support/fuzz.ts";
import { blockedBy, ip, rule } from "../../support/firewall_rules.ts";

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
