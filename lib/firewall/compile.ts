import { type PackedRules, packRules, selectRules } from "./_packed_rules.ts";
import { buildPrefixTable, type PrefixTable } from "./_prefix_table.ts";
import { type FirewallRule, RULE_TYPES, type RuleType } from "./rule.ts";

/**
 * Rules added to and removed from a compiled table before it is compiled anew. Compiling the added
 * ones takes a few milliseconds at this number, compiling a million about a second: with this bound
 * a change costs at most a few milliseconds, and every few thousandth the whole.
 */
export const MAX_OVERLAY_RULES = 4096;

/** The address rules of one family: a large table and the changes since it was compiled. */
export interface FamilyRules {
  readonly base: PrefixTable;
  readonly added: PrefixTable;
  /** Indexes into `base`, ascending. */
  readonly removed: Int32Array<SharedArrayBuffer>;
}

/** Rules that do the same, ready for look-ups. */
export interface RuleTables {
  readonly v4: FamilyRules;
  readonly v6: FamilyRules;
  readonly countries: readonly FirewallRule[];
}

/**
 * Rules ready for look-ups: those that block, and beside them those that allow. Immutable and
 * structured-cloneable; a clone posted to a worker shares all tables, so that a million rules exist
 * once.
 */
export interface CompiledFirewall extends RuleTables {
  /** Absent: no rule allows. */
  readonly allowed?: RuleTables;
  /** Those of them that the rate limit does not hold for; absent: none. */
  readonly unlimited?: RuleTables;
}

/** What {@link patchFirewall} changes; removals come first. */
export interface FirewallPatch {
  readonly add?: readonly FirewallRule[];
  /** Ids; unknown ones are ignored. */
  readonly remove?: readonly number[];
}

/**
 * Compiles rules that block and rules that allow. Of several rules with the same prefix an `ip` rule comes before a `cidr` rule and
 * a later one before an earlier one; the others take over when it is removed.
 *
 * @throws {FirewallRuleError} if a value is invalid.
 * @throws {RangeError} if there are more than 2^24 − 2 address rules of one family.
 *
 * @example
 * ```ts
 * import { compileFirewall, createFirewall, patchFirewall } from "./mod.ts";
 * import { parseIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const compiled = compileFirewall([
 *   { id: 1, type: "cidr", value: "192.0.2.0/24" },
 *   { id: 2, type: "ip", value: "192.0.2.7" },
 * ]);
 * const ip = parseIp("192.0.2.7");
 * assert(ip.ok);
 * assert.deepEqual(createFirewall(compiled).check(ip.value), {
 *   action: "block",
 *   rule: { id: 2, type: "ip", value: "192.0.2.7" },
 * });
 *
 * const patched = patchFirewall(compiled, { remove: [2] });
 * assert.deepEqual(createFirewall(patched).check(ip.value), {
 *   action: "block",
 *   rule: { id: 1, type: "cidr", value: "192.0.2.0/24" },
 * });
 * ```
 */
export function compileFirewall(rules: readonly FirewallRule[]): CompiledFirewall {
  return atOnce(compileFirewallInSteps(rules));
}

/** {@link compileFirewall} that can be interrupted between two rules: a million take seconds. */
export function* compileFirewallInSteps(
  rules: readonly FirewallRule[],
): Generator<undefined, CompiledFirewall> {
  const allowing = rules.filter(isAllowing);
  if (allowing.length === 0) return yield* tablesInSteps(rules);
  const unlimited = allowing.filter(isUnlimited);
  return {
    ...yield* tablesInSteps(rules.filter((rule) => !isAllowing(rule))),
    allowed: yield* tablesInSteps(allowing),
    ...unlimited.length > 0 && { unlimited: yield* tablesInSteps(unlimited) },
  };
}

/** {@link compileFirewall} for rules that all do the same. */
export function compileTables(rules: readonly FirewallRule[]): RuleTables {
  return atOnce(tablesInSteps(rules));
}

/** How many rules of each type there are; types without rules are left out. */
export function countRules({ v4, v6, countries }: RuleTables): Map<RuleType, number> {
  const counts = { ip: 0, cidr: 0, country: countries.length };
  for (const { base, added, removed } of [v4, v6]) {
    for (const { rules } of [base, added]) {
      let single = 0;
      // By index: an iterator over a million takes ten times as long.
      for (let i = 0; i < rules.ranks.length; i++) single += (rules.ranks[i] as number) & 1;
      counts.ip += single;
      counts.cidr += rules.ranks.length - single;
    }
    for (const index of removed) counts[(base.rules.ranks[index] as number) & 1 ? "ip" : "cidr"]--;
  }
  return new Map(
    RULE_TYPES.map((type) => [type, counts[type]] as const).filter(([, count]) => count > 0),
  );
}

function* tablesInSteps(rules: readonly FirewallRule[]): Generator<undefined, RuleTables> {
  const { v4, v6, countries } = yield* packRules(rules);
  return { v4: yield* compileFamily(v4), v6: yield* compileFamily(v6), countries };
}

function isAllowing({ action }: FirewallRule): boolean {
  return action === "allow";
}

function isUnlimited({ skipRateLimit }: FirewallRule): boolean {
  return skipRateLimit === true;
}

/**
 * The compiled rules with some added and removed. Costs a few milliseconds at most, independent of
 * the number of rules but for a scan of their ids, until {@link MAX_OVERLAY_RULES} changes have
 * gathered.
 *
 * @throws {FirewallRuleError} if an added value is invalid.
 */
export function patchFirewall(compiled: CompiledFirewall, patch: FirewallPatch): CompiledFirewall {
  return atOnce(patchFirewallInSteps(compiled, patch));
}

/** {@link patchFirewall} that can be interrupted between two rules. */
export function* patchFirewallInSteps(
  compiled: CompiledFirewall,
  patch: FirewallPatch,
): Generator<undefined, CompiledFirewall> {
  const { add = [] } = patch;
  const remove = new Set(patch.remove);
  const allowing = add.filter(isAllowing);
  const blocking = add.filter((rule) => !isAllowing(rule));
  const { allowed, unlimited } = compiled;
  const patched = {
    allowed: yield* patchSome(allowed, allowing, remove),
    unlimited: yield* patchSome(unlimited, allowing.filter(isUnlimited), remove),
  };
  return {
    ...yield* patchTables(compiled, blocking, remove),
    ...patched.allowed && { allowed: patched.allowed },
    ...patched.unlimited && { unlimited: patched.unlimited },
  };
}

/** {@link patchTables} for tables that are not there while they hold nothing. */
function* patchSome(
  tables: RuleTables | undefined,
  add: readonly FirewallRule[],
  remove: ReadonlySet<number>,
): Generator<undefined, RuleTables | undefined> {
  if (tables === undefined) return add.length === 0 ? undefined : yield* tablesInSteps(add);
  const patched = yield* patchTables(tables, add, remove);
  return isEmpty(patched) ? undefined : patched;
}

function isEmpty({ v4, v6, countries }: RuleTables): boolean {
  const holdsNone = ({ base, added, removed }: FamilyRules) =>
    base.rules.ids.length === removed.length && added.rules.ids.length === 0;
  return countries.length === 0 && holdsNone(v4) && holdsNone(v6);
}

function* patchTables(
  tables: RuleTables,
  add: readonly FirewallRule[],
  remove: ReadonlySet<number>,
): Generator<undefined, RuleTables> {
  const { v4, v6, countries } = yield* packRules(add);
  const kept = tables.countries.filter((rule) => !remove.has(rule.id));
  return {
    v4: yield* patchFamily(tables.v4, v4, remove),
    v6: yield* patchFamily(tables.v6, v6, remove),
    countries: [...kept, ...countries],
  };
}

function* compileFamily(rules: PackedRules): Generator<undefined, FamilyRules> {
  const none = yield* selectRules(rules.family, [], () => false);
  return {
    base: yield* buildPrefixTable(rules),
    added: yield* buildPrefixTable(none),
    removed: sharedIndexes([]),
  };
}

function* patchFamily(
  { base, added, removed }: FamilyRules,
  more: PackedRules,
  remove: ReadonlySet<number>,
): Generator<undefined, FamilyRules> {
  const family = base.rules.family;
  const gone = new Set(removed);
  for (const index of indexesOf(base.rules.ids, remove)) gone.add(index);
  const overlay = yield* selectRules(family, [added.rules, more], (table, index) => {
    return table === more || !remove.has(table.ids[index] as number);
  });
  if (overlay.ids.length + gone.size > MAX_OVERLAY_RULES) {
    const all = [base.rules, overlay];
    const left = yield* selectRules(family, all, (table, index) => {
      return table === overlay || !gone.has(index);
    });
    return yield* compileFamily(left);
  }
  const changed = more.ids.length > 0 || overlay.ids.length !== added.rules.ids.length;
  return {
    base,
    added: changed ? yield* buildPrefixTable(overlay) : added,
    removed: gone.size === removed.length ? removed : sharedIndexes([...gone]),
  };
}

/** Up to this many, one vectorised scan for each id is faster than a hash look-up per rule. */
const FEW_IDS = 16;

function indexesOf(ids: Float64Array, wanted: ReadonlySet<number>): number[] {
  if (wanted.size <= FEW_IDS) {
    return [...wanted].map((id) => ids.indexOf(id)).filter((index) => index >= 0);
  }
  const found: number[] = [];
  for (let i = 0; i < ids.length; i++) if (wanted.has(ids[i] as number)) found.push(i);
  return found;
}

function sharedIndexes(indexes: readonly number[]): Int32Array<SharedArrayBuffer> {
  const shared = new Int32Array(new SharedArrayBuffer(indexes.length * 4));
  shared.set(indexes);
  return shared.sort();
}

function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}
