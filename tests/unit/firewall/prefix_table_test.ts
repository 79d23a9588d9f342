import assert from "node:assert/strict";
import { type IpAddress, ipFromBytes, ipToBytes } from "../../../lib/addr/mod.ts";
import { compileFirewall, createFirewall } from "../../../lib/firewall/mod.ts";
import { runAtOnce } from "../../../lib/slices/mod.ts";
import { type PackedRules, packRules, selectRules } from "../../../lib/firewall/_packed_rules.ts";
import {
  buildPrefixTable,
  NO_RULE,
  PrefixIndex,
  type PrefixTable,
} from "../../../lib/firewall/_prefix_table.ts";
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
