import { formatCidr, formatIp, parseCidr, parseIp, type Result } from "../addr/mod.ts";

/** What a rule's value is. */
export type RuleType = "ip" | "cidr" | "country";

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
  switch (type) {
    case "ip": {
      const ip = parseIp(value);
      return ip.ok ? { ok: true, value: formatIp(ip.value) } : ip;
    }
    case "cidr": {
      const cidr = parseCidr(value);
      return cidr.ok ? { ok: true, value: formatCidr(cidr.value) } : cidr;
    }
    case "country":
      return /^[A-Za-z]{2}$/.test(value)
        ? { ok: true, value: value.toUpperCase() }
        : { ok: false, reason: "a country is two letters A–Z (ISO 3166-1 alpha-2)" };
    default:
      return { ok: false, reason: "a rule's type is ip, cidr or country" };
  }
}
