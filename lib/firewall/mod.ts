/**
 * The global firewall: rules compiled to look-ups whose cost does not grow with their number,
 * countries from a MaxMind DB, and limits of new and of open connections per source. Pure: octets, values
 * and the time come in as arguments; what workers share lies in `SharedArrayBuffer`s.
 *
 * @module
 */
export { type AllowedSources, type AllowList, compileAllowList } from "./allow_list.ts";
export {
  type FirewallRule,
  FirewallRuleError,
  parseFirewallRule,
  parseNewRule,
  RULE_ACTIONS,
  RULE_TYPES,
  type RuleAction,
  type RuleType,
  ruleValueDoc,
} from "./rule.ts";
export {
  type CompiledFirewall,
  compileFirewall,
  compileFirewallInSteps,
  countRules,
  type FirewallPatch,
  MAX_OVERLAY_RULES,
  patchFirewall,
  patchFirewallInSteps,
} from "./compile.ts";
export { createFirewall, type Firewall, type Verdict } from "./firewall.ts";
export {
  consider,
  type Gates,
  judge,
  type Judgement,
  type Opinion,
  type Refusal,
} from "./judge.ts";
export {
  type GeoIp,
  GeoIpError,
  type GeoIpErrorCode,
  openGeoIp,
  type OpenOptions,
} from "./geoip.ts";
export {
  type ConnectionLimiter,
  type ConnectionLimiterOptions,
  createConnectionLimiter,
  MAX_CONNECTIONS_PER_SOURCE,
  type SourcePermit,
} from "./connection_limiter.ts";
export { type OffenceLimit, Offences } from "./offences.ts";
export { RATE_NOTES, RateLedger, type RateLedgerOptions, type ToldCount } from "./rate_ledger.ts";
export {
  createRateLimiter,
  MAX_RATE_LIMIT,
  type RateLimiter,
  type RateLimiterOptions,
} from "./rate_limiter.ts";
