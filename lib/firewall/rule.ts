import { formatCidr, formatIp, parseCidr, parseIp, type Result } from "../addr/mod.ts";

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
  cidr: { doc: "CIDR block", parse: (value) => canonical(parseCidr(value), formatCidr) },
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

/** One rule; every rule blocks. */
export interface FirewallRule {
  /** The database's row id. */
  readonly id: number;
  readonly type: RuleType;
  /** Canonical, as {@link parseFirewallRule} returns it. */
  readonly value: string;
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
 * block without host bits, an ISO 3166-1 alpha-2 code in capitals. Whether a code is assigned is
 * not checked: the list changes, and databases use codes outside it (`XK`).
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

function parseCountry(value: string): Result<string> {
  return /^[A-Za-z]{2}$/.test(value)
    ? { ok: true, value: value.toUpperCase() }
    : { ok: false, reason: "a country is two letters A–Z (ISO 3166-1 alpha-2)" };
}

function canonical<T>(result: Result<T>, format: (value: T) => string): Result<string> {
  return result.ok ? { ok: true, value: format(result.value) } : result;
}
