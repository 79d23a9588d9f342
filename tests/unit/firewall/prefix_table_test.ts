import assert from "node:assert/strict";
import { type IpAddress, ipFromBytes, ipToBytes } from "../../../lib/addr/mod.ts";
import { compileFirewall, createFirewall } from "../../../lib/firewall/mod.ts";
import { runAtOnce } from "../../../lib/slices/mod.ts";
import { type PackedRules, packRules, selectRules } from "../../../lib/firewall/_packed_rules.ts";
import {
  buildPrefixTable,
  MAX_ADDRESS_RULES,
  NO_RULE,
  PrefixIndex,
  type PrefixTable,
} from "../../../lib/firewall/_prefix_table.ts";
import { hash4, hash6 } from "../../../lib/firewall/_prefix_hash.ts";
import type { FirewallRule } from "../../../lib/firewall/rule.ts";

/** One block of each length, nested so that each search passes markers. */
function nested(bits: number, valueOf: (length: number) => string): PackedRules {
  const rules: FirewallRule[] = [];
  for (let length = 1; length <= bits; length++) {
    rules.push({ id: length, type: "cidr", value: valueOf(length) });
  }
  const { v4, v6 } = runAtOnce(packRules(rules));
  return bits === 32 ? v4 : v6;
}

/** The address whose only set bit is the first, and then the last of each block. */
function blockV4(length: number): string {
  const word = (2 ** (32 - length)) >>> 0;
  return `${[24, 16, 8, 0].map((by) => (word >>> by) & 255).join(".")}/${length}`;
}

function blockV6(length: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => (length - 1) >>> 4 === i ? 1 : 0)
    .map((set) => set === 0 ? "0" : (1 << (15 - ((length - 1) & 15))).toString(16));
  return `${groups.join(":")}/${length}`;
}

/** Each slot that is taken. */
function used({ slots, rules }: PrefixTable): number {
  const stride = rules.family === 4 ? 2 : 5;
  let count = 0;
  for (let at = stride - 1; at < slots.length; at += stride) if (slots[at] !== 0) count++;
  return count;
}

for (const [bits, valueOf] of [[32, blockV4], [128, blockV6]] as const) {
  Deno.test(`a table of one rule for each of ${bits} lengths finds each, and keeps half its slots free`, () => {
    const rules = nested(bits, valueOf);
    const table = runAtOnce(buildPrefixTable(rules));
    const index = new PrefixIndex(rules.family, table);
    const stride = bits === 32 ? 1 : 4;
    for (let rule = 0; rule < bits; rule++) {
      const word = (i: number) => rules.words[rule * stride + i] ?? 0;
      const found = bits === 32
        ? index.find(word(0), 0, 0, 0)
        : index.find(word(0), word(1), word(2), word(3));
      assert.equal(found, rule);
    }
    assert.equal(index.find(0, 0, 0, 0), NO_RULE);
    const slots = table.slots.length / (bits === 32 ? 2 : 5);
    assert(Number.isInteger(Math.log2(slots)), `${slots} slots`);
    assert(used(table) >= bits, "the rules and their markers");
    assert(used(table) * 2 <= slots, `${used(table)} of ${slots}`);
    assert(used(table) * 4 > slots, `no more than needed: ${used(table)} of ${slots}`);
  });
}

/** One address of each rule's block, and the neighbours beyond both its ends. */
function* probes(rules: readonly FirewallRule[]): Generator<Uint8Array> {
  for (const { value } of rules) {
    const [text = "", length = ""] = value.split("/");
    const bytes = Uint8Array.from(text.split("."), Number);
    const size = 2 ** (32 - Number(length || 32));
    const first = new DataView(bytes.buffer).getUint32(0);
    for (const word of [first - 1, first, first + size - 1, first + size]) {
      if (word < 0 || word > 0xffffffff) continue;
      const probe = new Uint8Array(4);
      new DataView(probe.buffer).setUint32(0, word);
      yield probe;
    }
  }
}

/** The most specific rule by looking at all; of two equals the one that was added last. */
function scan(rules: readonly FirewallRule[], probe: Uint8Array): number {
  const word = new DataView(probe.buffer).getUint32(0);
  let best = 0;
  let bestLength = -1;
  for (const { id, value } of rules) {
    const [text = "", tail = "32"] = value.split("/");
    const length = Number(tail);
    const first = new DataView(Uint8Array.from(text.split("."), Number).buffer).getUint32(0);
    if (Math.floor(word / 2 ** (32 - length)) !== Math.floor(first / 2 ** (32 - length))) continue;
    if (length > bestLength) [best, bestLength] = [id, length];
  }
  return best;
}

Deno.test("a firewall decides at both ends of every block as a scan over all rules does", () => {
  const rules: FirewallRule[] = [
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/23",
    "10.1.2.0/24",
    "10.1.2.128/25",
    "10.255.255.254/31",
    "128.0.0.0/1",
    "192.0.2.0/24",
    "255.255.255.0/24",
    "255.255.255.254/31",
  ].map((value, i) => ({ id: i + 1, type: "cidr", value }));
  const firewall = createFirewall(compileFirewall(rules), undefined);
  for (const probe of probes(rules)) {
    const ip = ipFromBytes(probe) as IpAddress;
    assert.deepEqual(ipToBytes(ip), probe);
    const verdict = firewall.check(ip);
    const id = verdict.action === "block" ? verdict.rule.id : 0;
    assert.equal(id, scan(rules, probe), probe.join("."));
  }
});

Deno.test("selectRules() keeps every column of what is kept, and nothing else", () => {
  const { v6 } = runAtOnce(packRules([
    { id: 7, type: "ip", value: "2001:db8:1:2:3:4:5:6" },
    { id: 8, type: "cidr", value: "2001:db8:ffff::/48" },
    { id: 9, type: "ip", value: "::1" },
  ]));
  const kept = runAtOnce(selectRules(6, [v6, v6], (_, index) => index !== 1));
  assert.deepEqual([...kept.ids], [7, 9, 7, 9]);
  assert.deepEqual([...kept.ranks], [257, 257, 257, 257]);
  const first = [0x20010db8, 0x00010002, 0x00030004, 0x00050006];
  assert.deepEqual([...kept.words], [...first, 0, 0, 0, 1, ...first, 0, 0, 0, 1]);
});

Deno.test("buildPrefixTable() refuses more rules than a slot can name", () => {
  assert.equal(MAX_ADDRESS_RULES, 2 ** 24 - 2);
  const so = (count: number) => ({
    family: 4,
    ids: { length: count },
    ranks: new Uint16Array(0),
    words: new Int32Array(0),
  } as unknown as PackedRules);
  assert.equal(buildPrefixTable(so(MAX_ADDRESS_RULES)).next().done, false);
  assert.throws(() => buildPrefixTable(so(MAX_ADDRESS_RULES + 1)).next(), RangeError);
});

/** MurmurHash3 without tail and length, as an attacker writes it who has read the source. */
function murmur(seed: number, words: readonly number[]): number {
  let h = Math.imul(seed, 0x9e3779b1);
  for (const word of words) {
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul(k << 15 | k >>> 17, 0x1b873593);
    h ^= k;
    h = (Math.imul(h << 13 | h >>> 19, 5) + 0xe6546b64) | 0;
  }
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return h ^ h >>> 16;
}

/** Addresses that all begin their search in the same one of 1,024 slots, under the first seed. */
function colliding(family: 4 | 6, count: number): FirewallRule[] {
  const rules: FirewallRule[] = [];
  const bits = family === 4 ? 32 : 128;
  for (let word = 1; rules.length < count; word++) {
    const hash = murmur(1 + bits, family === 4 ? [word] : [0x20010db8, 0, word, word]);
    if ((hash & 1023) !== 7) continue;
    const [high, low] = [word >>> 16, word & 0xffff].map((it) => it.toString(16));
    const value = family === 4
      ? [24, 16, 8, 0].map((by) => word >>> by & 255).join(".")
      : `2001:db8::${high}:${low}:${high}:${low}`;
    rules.push({ id: word, type: "ip", value });
  }
  return rules;
}

Deno.test("hash4() and hash6() are the hash that an attacker can compute", () => {
  for (let word = -5; word < 5; word++) {
    assert.equal(hash4(word * 77, word), murmur(word * 77, [word]));
    const words = [word, 1 << word, -word, word * 0x01234567] as const;
    assert.equal(hash6(word, ...words), murmur(word, words));
  }
});

for (const family of [4, 6] as const) {
  Deno.test(`a table of IPv${family} rules chosen to collide is hashed anew, and finds them all`, () => {
    const all = colliding(family, 300);
    const tableOf = (count: number) => {
      const packed = runAtOnce(packRules(all.slice(0, count)));
      return runAtOnce(buildPrefixTable(family === 4 ? packed.v4 : packed.v6));
    };
    // The 257th looks at 256 slots before its own.
    const before = tableOf(257);
    assert.deepEqual([before.seed, before.slots.length], [1, 1024 * (family === 4 ? 2 : 5)]);
    const table = tableOf(300);
    assert(table.seed > 1);
    assert.equal(table.slots.length, before.slots.length, "as large as before");
    const index = new PrefixIndex(family, table);
    for (const [rule, { id: word }] of all.entries()) {
      const found = family === 4
        ? index.find(word, 0, 0, 0)
        : index.find(0x20010db8, 0, word, word);
      assert.equal(found, rule);
    }
    assert.equal(index.find(0, 0, 0, 0), NO_RULE);
  });
}

Deno.test("rules of one prefix: an address before a block, the last one added before the others", () => {
  const value = "2001:db8::1";
  const rules: FirewallRule[] = [
    { id: 1, type: "ip", value },
    { id: 2, type: "cidr", value: `${value}/128` },
    { id: 3, type: "ip", value },
    { id: 4, type: "cidr", value: `${value}/128` },
    { id: 5, type: "cidr", value: "2001:db8::/32" },
  ];
  const { v6 } = runAtOnce(packRules(rules));
  const table = runAtOnce(buildPrefixTable(v6));
  const order: number[] = [];
  let rule = new PrefixIndex(6, table).find(0x20010db8, 0, 0, 1);
  for (; rule !== NO_RULE; rule = table.parents[rule] ?? NO_RULE) order.push(v6.ids[rule] ?? -1);
  assert.deepEqual(order, [3, 1, 4, 2, 5]);
});

Deno.test.each([[1, 2], [2, 4], [4, 8], [5, 16], [8, 16], [9, 32]])(
  "a table of %i rules of one length has %i slots from the start",
  (count, slots) => {
    const rules = Array.from({ length: count }, (_, i) => ({
      id: i,
      type: "ip" as const,
      value: `192.0.2.${i}`,
    }));
    const { v4 } = runAtOnce(packRules(rules));
    const table = runAtOnce(buildPrefixTable(v4));
    assert.deepEqual([table.slots.length / 2, table.seed, used(table)], [slots, 1, count]);
  },
);

Deno.test("packRules() gives each family its rules, with prefix lengths and which are addresses", () => {
  const { v4, v6, countries } = runAtOnce(packRules([
    { id: 1, type: "ip", value: "192.0.2.1" },
    { id: 2, type: "cidr", value: "192.0.2.0/24" },
    { id: 3, type: "country", value: "NL" },
    { id: 4, type: "cidr", value: "2001:db8::/32" },
    { id: 5, type: "ip", value: "::1" },
  ]));
  assert.deepEqual([v4.family, v6.family, countries.map(({ id }) => id)], [4, 6, [3]]);
  assert.deepEqual([[...v4.ids], [...v4.ranks]], [[1, 2], [65, 48]]);
  assert.deepEqual([[...v6.ids], [...v6.ranks]], [[4, 5], [64, 257]]);
  assert.deepEqual([...v4.words], [0xc0000201 | 0, 0xc0000200 | 0]);
});

Deno.test("selectRules() pauses every few thousand rules that it looks at or copies, not at each", () => {
  const packed = runAtOnce(packRules(
    Array.from({ length: 10_000 }, (_, i) => ({
      id: i,
      type: "ip" as const,
      value: `10.0.${i >> 8}.${i & 255}`,
    })),
  ));
  const steps = [...selectRules(4, [packed.v4], () => true)].length;
  assert(steps >= 4 && steps <= 8, `${steps} steps`);
  assert([...selectRules(4, [packed.v4], () => false)].length >= 2);
});
