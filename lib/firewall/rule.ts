import { formatCidr, formatIp, parseCidr, parseIp, type Result } from "../addr/mod.ts";
import { unknownCountry } from "./countries.ts";

/** One thing that rules can name. */
interface RuleKind {
  /** For `docs/config.md`: what the value is. */
  readonly doc: string;
  /** Checks what an operator wrote, and gives the canonical value. */
  readonly parse: (value: string) => Result<string>;
}

/** What rules can name; {@link compileFirewall} has a table for each. */
const RULE_KINDS = {
  ip: { doc: "IP address", parse: (value) => canonical(parseIp(value), formatIp) },
  cidr: { doc: "CIDR block", parse: parseRuleCidr },
  country: { doc: "two-letter country code (ISO 3166-1)", parse: parseCountry },
} as const satisfies Readonly<Record<string, RuleKind>>;

/** What a rule's value is. */
export type RuleType = keyof typeof RULE_KINDS;

/** Every {@link RuleType}. */
export const RULE_TYPES = Object.keys(RULE_KINDS) as [RuleType, ...RuleType[]];

/** What the value of a rule is, for the documentation. */
export function ruleValueDoc(type: RuleType): string {
  return RULE_KINDS[type].doc;
}

/** What a rule does with those that it names. */
export const RULE_ACTIONS = ["block", "allow"] as const;

/** One of {@link RULE_ACTIONS}. */
export type RuleAction = typeof RULE_ACTIONS[number];

/** One rule. */
export interface FirewallRule {
  /** The database's row id. */
  readonly id: number;
  readonly type: RuleType;
  /** Canonical, as {@link parseFirewallRule} returns it. */
  readonly value: string;
  /** Absent: it blocks. */
  readonly action?: RuleAction;
  /** Of a rule that allows: the rate limit does not hold either. */
  readonly skipRateLimit?: boolean;
}

/** A rule cannot be compiled. */
export class FirewallRuleError extends RangeError {
  override readonly name = "FirewallRuleError";
  readonly code = "invalid_firewall_rule";

  constructor(readonly rule: FirewallRule, reason: string) {
    super(`cannot compile firewall rule ${rule.id} (${rule.type} ${rule.value}): ${reason}`);
  }
}

/**
 * Checks what an operator writes and returns the canonical value: an address as in RFC 5952, a
 * block without host bits, a code of two letters in capitals. Whether ISO 3166-1 has the code is for
 * {@link parseNewRule}: what is stored already is not to end a start.
 *
 * @example
 * ```ts
 * import { parseFirewallRule } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseFirewallRule("country", "nl"), { ok: true, value: "NL" });
 * assert.deepEqual(parseFirewallRule("ip", "::ffff:192.0.2.1"), { ok: true, value: "192.0.2.1" });
 * assert.equal(parseFirewallRule("cidr", "10.0.0.1/8").ok, false);
 * ```
 */
export function parseFirewallRule(type: string, value: string): Result<string> {
  const known = RULE_TYPES.find((it) => it === type);
  return known === undefined
    ? { ok: false, reason: `a rule's type is one of ${RULE_TYPES.join(", ")}` }
    : RULE_KINDS[known].parse(value);
}

/** {@link parseFirewallRule} for a rule that is to be: one that can never block anybody is a slip. */
export function parseNewRule(type: string, value: string): Result<string> {
  const rule = parseFirewallRule(type, value);
  if (!rule.ok) return rule;
  if (type === "cidr" || type === "ip") return rule;
  const reason = unknownCountry(rule.value);
  return reason === undefined ? rule : { ok: false, reason };
}

/** One kind of thing takes the other's place: say which, rather than what is missing. */
function parseRuleCidr(value: string): Result<string> {
  const ip = value.includes("/") ? undefined : parseIp(value);
  if (ip?.ok !== true) return canonical(parseCidr(value), formatCidr);
  const block = formatCidr({ address: ip.value, prefixLength: ip.value.family === 4 ? 32 : 128 });
  const reason = `it has no prefix length; ${block} is this address alone`;
  return { ok: false, reason };
}

function parseCountry(value: string): Result<string> {
  return /^[A-Za-z]{2}$/.test(value)
    ? { ok: true, value: value.toUpperCase() }
    : { ok: false, reason: "a country is two letters A–Z (ISO 3166-1 alpha-2)" };
}

function canonical<T>(result: Result<T>, format: (value: T) => string): Result<string> {
  return result.ok ? { ok: true, value: format(result.value) } : result;
}
