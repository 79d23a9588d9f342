import {
  formatCidr,
  formatIp,
  type IpAddress,
  ipv4,
  ipv6,
  parseCidr,
  parseIp,
} from "../addr/mod.ts";
import { type FirewallRule, FirewallRuleError } from "./rule.ts";

/** An IP version; its rules have a table of their own. */
export type Family = 4 | 6;

/**
 * Address rules of one family as columns in shared memory: a million of them cost 17 MB (IPv4) once
 * instead of a million objects in each worker. A rule is known by its index.
 */
export interface PackedRules {
  readonly family: Family;
  /** Doubles, because row ids are 64-bit integers. */
  readonly ids: Float64Array<SharedArrayBuffer>;
  /** The prefix, {@link wordsPer} words a rule, most significant first. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** How specific the rule is: twice its prefix length, plus 1 for an `ip` rule. */
  readonly ranks: Uint16Array<SharedArrayBuffer>;
}

/** Rules that are copied in one step, which takes a fraction of a millisecond. */
const AT_ONCE = 4096;

/** 32-bit words of an address. */
export function wordsPer(family: Family): 1 | 4 {
  return family === 4 ? 1 : 4;
}

/** Prefix length of a rank. */
export function lengthOf(rank: number): number {
  return rank >>> 1;
}

/** The address rules of each family; `countries` are the others. A step for each rule. */
export function* packRules(rules: readonly FirewallRule[]): Generator<undefined, {
  v4: PackedRules;
  v6: PackedRules;
  countries: FirewallRule[];
}> {
  const countries = rules.filter((rule) => rule.type === "country");
  // Room for all in both: pages that are never written cost nothing, and are given back below.
  const v4 = allocateRules(4, rules.length);
  const v6 = allocateRules(6, rules.length);
  let count4 = 0;
  let count6 = 0;
  for (const rule of rules) {
    yield;
    if (rule.type === "country") continue;
    const { address, rank } = parseAddressRule(rule);
    if (address.family === 4) writeRule(v4, count4++, rule.id, address, rank);
    else writeRule(v6, count6++, rule.id, address, rank);
  }
  return {
    v4: yield* selectRules(4, [v4], (_, index) => index < count4),
    v6: yield* selectRules(6, [v6], (_, index) => index < count6),
    countries,
  };
}

/** The rules of several tables for which `keep` is true, as one table. */
export function* selectRules(
  family: Family,
  tables: readonly PackedRules[],
  keep: (table: PackedRules, index: number) => boolean,
): Generator<undefined, PackedRules> {
  const selections: { table: PackedRules; indexes: Int32Array }[] = [];
  for (const table of tables) {
    const indexes = new Int32Array(table.ids.length);
    let count = 0;
    for (let i = 0; i < table.ids.length; i++) {
      if (keep(table, i)) indexes[count++] = i;
      if (i % AT_ONCE === 0) yield;
    }
    selections.push({ table, indexes: indexes.subarray(0, count) });
  }
  const selected = allocateRules(family, selections.reduce((n, s) => n + s.indexes.length, 0));
  let at = 0;
  for (const { table, indexes } of selections) {
    for (const index of indexes) {
      copyRule(selected, at, table, index);
      if (at++ % AT_ONCE === 0) yield;
    }
  }
  return selected;
}

function copyRule(to: PackedRules, at: number, from: PackedRules, index: number): void {
  const stride = wordsPer(to.family);
  to.ids[at] = from.ids[index] as number;
  to.ranks[at] = from.ranks[index] as number;
  for (let w = 0; w < stride; w++) {
    to.words[at * stride + w] = from.words[index * stride + w] as number;
  }
}

/** The rule at an index, with its value formatted anew. */
export function unpackRule(table: PackedRules, index: number): FirewallRule {
  const id = table.ids[index] as number;
  const rank = table.ranks[index] as number;
  const address = readAddress(table, index);
  if ((rank & 1) === 1) return { id, type: "ip", value: formatIp(address) };
  return { id, type: "cidr", value: formatCidr({ address, prefixLength: lengthOf(rank) }) };
}

function allocateRules(family: Family, count: number): PackedRules {
  return {
    family,
    ids: new Float64Array(new SharedArrayBuffer(count * 8)),
    words: new Int32Array(new SharedArrayBuffer(count * wordsPer(family) * 4)),
    ranks: new Uint16Array(new SharedArrayBuffer(count * 2)),
  };
}

function parseAddressRule(rule: FirewallRule): { address: IpAddress; rank: number } {
  if (rule.type === "ip") {
    const ip = parseIp(rule.value);
    if (!ip.ok) throw new FirewallRuleError(rule, ip.reason);
    return { address: ip.value, rank: (ip.value.family === 4 ? 32 : 128) * 2 + 1 };
  }
  const cidr = parseCidr(rule.value);
  if (!cidr.ok) throw new FirewallRuleError(rule, cidr.reason);
  return { address: cidr.value.address, rank: cidr.value.prefixLength * 2 };
}

function writeRule(
  table: PackedRules,
  index: number,
  id: number,
  ip: IpAddress,
  rank: number,
): void {
  table.ids[index] = id;
  table.ranks[index] = rank;
  if (ip.family === 4) table.words[index] = ip.w3;
  else table.words.set([ip.w0, ip.w1, ip.w2, ip.w3], index * 4);
}

function readAddress(table: PackedRules, index: number): IpAddress {
  const word = (i: number) => table.words[index * wordsPer(table.family) + i] as number;
  return table.family === 4 ? ipv4(word(0)) : ipv6(word(0), word(1), word(2), word(3));
}
