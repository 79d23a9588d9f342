import { type PackedRules, packRules, selectRules } from "./_packed_rules.ts";
import { buildPrefixTable, type PrefixTable } from "./_prefix_table.ts";
import type { FirewallRule } from "./rule.ts";

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
  const allowing = rules.filter(isAllowing);
  if (allowing.length === 0) return compileTables(rules);
  const unlimited = allowing.filter(isUnlimited);
  return {
    ...compileTables(rules.filter((rule) => !isAllowing(rule))),
    allowed: compileTables(allowing),
    ...unlimited.length > 0 && { unlimited: compileTables(unlimited) },
  };
}

/** {@link compileFirewall} for rules that all do the same. */
export function compileTables(rules: readonly FirewallRule[]): RuleTables {
  const { v4, v6, countries } = packRules(rules);
  return { v4: compileFamily(v4), v6: compileFamily(v6), countries };
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
  const { add = [] } = patch;
  const remove = new Set(patch.remove);
  const allowing = add.filter(isAllowing);
  const blocking = allowing.length === 0 ? add : add.filter((rule) => !isAllowing(rule));
  const { allowed, unlimited } = compiled;
  const patched = {
    allowed: patchSome(allowed, allowing, remove),
    unlimited: patchSome(unlimited, allowing.filter(isUnlimited), remove),
  };
  return {
    ...patchTables(compiled, blocking, remove),
    ...patched.allowed && { allowed: patched.allowed },
    ...patched.unlimited && { unlimited: patched.unlimited },
  };
}

/** {@link patchTables} for tables that are not there while they hold nothing. */
function patchSome(
  tables: RuleTables | undefined,
  add: readonly FirewallRule[],
  remove: ReadonlySet<number>,
): RuleTables | undefined {
  if (tables === undefined) return add.length === 0 ? undefined : compileTables(add);
  const patched = patchTables(tables, add, remove);
  return isEmpty(patched) ? undefined : patched;
}

function isEmpty({ v4, v6, countries }: RuleTables): boolean {
  const holdsNone = ({ base, added, removed }: FamilyRules) =>
    base.rules.ids.length === removed.length && added.rules.ids.length === 0;
  return countries.length === 0 && holdsNone(v4) && holdsNone(v6);
}

function patchTables(
  tables: RuleTables,
  add: readonly FirewallRule[],
  remove: ReadonlySet<number>,
): RuleTables {
  const { v4, v6, countries } = packRules(add);
  const kept = tables.countries.filter((rule) => !remove.has(rule.id));
  return {
    v4: patchFamily(tables.v4, v4, remove),
    v6: patchFamily(tables.v6, v6, remove),
    countries: [...kept, ...countries],
  };
}

function compileFamily(rules: PackedRules): FamilyRules {
  const none = selectRules(rules.family, [], () => false);
  return {
    base: buildPrefixTable(rules),
    added: buildPrefixTable(none),
    removed: sharedIndexes([]),
  };
}

function patchFamily(
  { base, added, removed }: FamilyRules,
  more: PackedRules,
  remove: ReadonlySet<number>,
): FamilyRules {
  const family = base.rules.family;
  const gone = new Set(removed);
  for (const index of indexesOf(base.rules.ids, remove)) gone.add(index);
  const overlay = selectRules(family, [added.rules, more], (table, index) => {
    return table === more || !remove.has(table.ids[index] ?? 0);
  });
  if (overlay.ids.length + gone.size > MAX_OVERLAY_RULES) {
    const all = [base.rules, overlay];
    return compileFamily(selectRules(family, all, (table, index) => {
      return table === overlay || !gone.has(index);
    }));
  }
  const changed = more.ids.length > 0 || overlay.ids.length !== added.rules.ids.length;
  return {
    base,
    added: changed ? buildPrefixTable(overlay) : added,
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
  for (let i = 0; i < ids.length; i++) if (wanted.has(ids[i] ?? 0)) found.push(i);
  return found;
}

function sharedIndexes(indexes: readonly number[]): Int32Array<SharedArrayBuffer> {
  const shared = new Int32Array(new SharedArrayBuffer(indexes.length * 4));
  shared.set(indexes);
  return shared.sort();
}
