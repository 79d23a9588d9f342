import { embeddedIpv4, type IpAddress } from "../addr/mod.ts";
import { unpackRule } from "./_packed_rules.ts";
import { NO_RULE, PrefixIndex, type PrefixTable } from "./_prefix_table.ts";
import type { CompiledFirewall, FamilyRules } from "./compile.ts";
import type { GeoIp } from "./geoip.ts";
import type { FirewallRule } from "./rule.ts";

/** What happens to a connection, and if it is blocked, by which rule. */
export type Verdict =
  | { readonly action: "allow" }
  | { readonly action: "block"; readonly rule: FirewallRule };

/** Decides about addresses. */
export interface Firewall {
  /**
   * The verdict on the real client address. Of the rules that cover it the most specific is named:
   * an `ip` rule, the longest `cidr`, a `country`. An IPv6 address that stands for an IPv4 one (NAT64,
   * 6to4 and the like) is held against the rules of both. Allocates nothing for an allowed address.
   */
  check(ip: IpAddress): Verdict;
}

/** One object for all allowed connections. */
const ALLOW: Verdict = Object.freeze({ action: "allow" });

/**
 * Makes compiled rules usable; cheap, whatever their number. Without `geoip` no `country` rule ever
 * applies: whoever configures such rules has to insist on a database.
 */
export function createFirewall(compiled: CompiledFirewall, geoip?: GeoIp): Firewall {
  const v4 = new FamilyIndex(compiled.v4);
  const v6 = new FamilyIndex(compiled.v6);
  const countries = new Map(compiled.countries.map((rule) => [rule.value, rule]));
  const countryOf = countries.size === 0 ? undefined : geoip;
  const checkOne = (ip: IpAddress): Verdict => {
    const rule = ip.family === 4 ? v4.find(ip.w3, 0, 0, 0) : v6.find(ip.w0, ip.w1, ip.w2, ip.w3);
    if (rule !== undefined) return { action: "block", rule };
    if (countryOf === undefined) return ALLOW;
    const country = countryOf.country(ip);
    const blocked = country === undefined ? undefined : countries.get(country);
    return blocked === undefined ? ALLOW : { action: "block", rule: blocked };
  };
  return {
    check(ip) {
      const verdict = checkOne(ip);
      if (ip.family === 4 || verdict.action === "block") return verdict;
      for (const v4 of embeddedIpv4(ip)) {
        const meant = checkOne(v4);
        if (meant.action === "block") return meant;
      }
      return verdict;
    },
  };
}

/** Look-ups in a base table and the changes made to it. */
class FamilyIndex {
  readonly #base: PrefixTable;
  readonly #added: PrefixTable;
  readonly #baseIndex: PrefixIndex;
  readonly #addedIndex: PrefixIndex;
  readonly #removed: ReadonlySet<number>;

  constructor({ base, added, removed }: FamilyRules) {
    this.#base = base;
    this.#added = added;
    this.#baseIndex = new PrefixIndex(base.rules.family, base);
    this.#addedIndex = new PrefixIndex(added.rules.family, added);
    this.#removed = new Set(removed);
  }

  find(w0: number, w1: number, w2: number, w3: number): FirewallRule | undefined {
    let rule = this.#baseIndex.find(w0, w1, w2, w3);
    // A removed rule's place is taken by the next one that covers it, and so on.
    while (rule !== NO_RULE && this.#removed.has(rule)) rule = this.#base.parents[rule] ?? NO_RULE;
    const added = this.#addedIndex.find(w0, w1, w2, w3);
    if (added !== NO_RULE && rankOf(this.#added, added) >= rankOf(this.#base, rule)) {
      return unpackRule(this.#added.rules, added);
    }
    return rule === NO_RULE ? undefined : unpackRule(this.#base.rules, rule);
  }
}

function rankOf(table: PrefixTable, rule: number): number {
  return rule === NO_RULE ? NO_RULE : table.rules.ranks[rule] ?? NO_RULE;
}
