/**
 * Rules of a firewall, and which of them blocks an address.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  type CompiledFirewall,
  createFirewall,
  type FirewallRule,
  type GeoIp,
  type RuleType,
} from "../../lib/firewall/mod.ts";
import { type IpAddress, parseIp } from "../../lib/addr/mod.ts";

export function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

export function rule(id: number, type: RuleType, value: string): FirewallRule {
  return { id, type, value };
}

export function blockedBy(
  compiled: CompiledFirewall,
  address: string,
  geoip?: GeoIp,
): number | undefined {
  const verdict = createFirewall(compiled, geoip).check(ip(address));
  return verdict.action === "block" ? verdict.rule.id : undefined;
}
