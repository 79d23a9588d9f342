import type { IpAddress } from "../addr/mod.ts";
import { unpackRule } from "./_packed_rules.ts";
import { NO_RULE, PrefixIndex, type PrefixTable } from "./_prefix_table.ts";
import type { FamilyRules, RuleTables } from "./compile.ts";
import type { FirewallRule } from "./rule.ts";

/** The country of an address, if it is known. */
export type CountryOf = (ip: IpAddress) => string | undefined;

/** Look-ups in rules that all do the same. */
export class RuleIndex {
  readonly #v4: FamilyIndex;
  readonly #v6: FamilyIndex;
  readonly #countries: ReadonlyMap<string, FirewallRule>;
  readonly #countryOf: CountryOf | undefined;

  /** @param countryOf Absent: no rule of a country ever applies. */
  constructor({ v4, v6, countries }: RuleTables, countryOf: CountryOf | undefined) {
    this.#v4 = new FamilyIndex(v4);
    this.#v6 = new FamilyIndex(v6);
    this.#countries = new Map(countries.map((rule) => [rule.value, rule]));
    this.#countryOf = countries.length === 0 ? undefined : countryOf;
  }

  /** The most specific rule that covers an address: `ip`, the longest `cidr`, `country`. */
  find(ip: IpAddress): FirewallRule | undefined {
    const rule = ip.family === 4
      ? this.#v4.find(ip.w3, 0, 0, 0)
      : this.#v6.find(ip.w0, ip.w1, ip.w2, ip.w3);
    return rule ?? this.#ofCountry(ip);
  }

  /** {@link find} that allocates nothing: what kind of rule covers an address. */
  covers(ip: IpAddress): "ip" | "other" | undefined {
    const rank = ip.family === 4
      ? this.#v4.rank(ip.w3, 0, 0, 0)
      : this.#v6.rank(ip.w0, ip.w1, ip.w2, ip.w3);
    if (rank !== NO_RULE) return (rank & 1) === 1 ? "ip" : "other";
    return this.#ofCountry(ip) === undefined ? undefined : "other";
  }

  #ofCountry(ip: IpAddress): FirewallRule | undefined {
    const country = this.#countryOf?.(ip);
    return country === undefined ? undefined : this.#countries.get(country);
  }
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
    const rule = this.#findBase(w0, w1, w2, w3);
    const added = this.#addedIndex.find(w0, w1, w2, w3);
    if (added !== NO_RULE && rankOf(this.#added, added) >= rankOf(this.#base, rule)) {
      return unpackRule(this.#added.rules, added);
    }
    return rule === NO_RULE ? undefined : unpackRule(this.#base.rules, rule);
  }

  /** How specific the rule is that {@link find} finds; {@link NO_RULE} for none. */
  rank(w0: number, w1: number, w2: number, w3: number): number {
    const added = this.#addedIndex.find(w0, w1, w2, w3);
    return Math.max(
      rankOf(this.#base, this.#findBase(w0, w1, w2, w3)),
      rankOf(this.#added, added),
    );
  }

  #findBase(w0: number, w1: number, w2: number, w3: number): number {
    let rule = this.#baseIndex.find(w0, w1, w2, w3);
    // A removed rule's place is taken by the next one that covers it, and so on.
    while (this.#removed.has(rule)) rule = this.#base.parents[rule] as number;
    return rule;
  }
}

function rankOf(table: PrefixTable, rule: number): number {
  return rule === NO_RULE ? NO_RULE : table.rules.ranks[rule] as number;
}
