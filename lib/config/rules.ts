import type { RuleSettings } from "../state/mod.ts";
import type { FirewallConfig } from "./types.ts";

/** The rules that the lists of `[firewall]` are. */
export function rulesOf(firewall: FirewallConfig): RuleSettings[] {
  const { allowedSkipRateLimit } = firewall;
  const rules = (type: RuleSettings["type"], values: readonly string[]): RuleSettings[] =>
    values.map((value) => ({ type, value, reason: "" }));
  const allowing = [
    ...rules("ip", firewall.allowedIps),
    ...rules("cidr", firewall.allowedCidrs),
    ...rules("country", firewall.allowedCountries),
  ];
  return [
    ...rules("ip", firewall.blockedIps),
    ...rules("cidr", firewall.blockedCidrs),
    ...rules("country", firewall.blockedCountries),
    ...allowing.map((rule): RuleSettings => ({
      ...rule,
      action: "allow",
      ...allowedSkipRateLimit && { skipRateLimit: true },
    })),
  ];
}
