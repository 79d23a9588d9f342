import type { IpAddress } from "../addr/mod.ts";
import { RuleIndex } from "./_rule_index.ts";
import { compileTables } from "./compile.ts";
import type { GeoIp } from "./geoip.ts";
import type { FirewallRule, RuleType } from "./rule.ts";

/** Who may, by name; canonical. */
export interface AllowedSources {
  readonly allowedIps?: readonly string[];
  readonly allowedCidrs?: readonly string[];
  readonly allowedCountries?: readonly string[];
}

/** Those that are named, and nobody else. */
export interface AllowList {
  /** The most specific entry that names an address; nothing: it may not. */
  find(ip: IpAddress): Pick<FirewallRule, "type" | "value"> | undefined;
  /** {@link find} that allocates nothing. */
  holds(ip: IpAddress): boolean;
}

/**
 * Compiles a list as the rules of the firewall are. Nothing for a list that names nobody: it says
 * nothing. An IPv6 address that stands for an IPv4 one is held against IPv6 entries alone.
 *
 * @param geoip Absent: an entry that is a country names nobody.
 * @throws {FirewallRuleError} if a value is invalid.
 */
export function compileAllowList(
  { allowedIps = [], allowedCidrs = [], allowedCountries = [] }: AllowedSources,
  geoip: Pick<GeoIp, "country"> | undefined,
): AllowList | undefined {
  const entries = (type: RuleType, values: readonly string[]) =>
    values.map((value) => ({ type, value }));
  const rules = [
    ...entries("ip", allowedIps),
    ...entries("cidr", allowedCidrs),
    ...entries("country", allowedCountries),
  ].map((entry, id) => ({ id, ...entry }));
  if (rules.length === 0) return undefined;
  const index = new RuleIndex(compileTables(rules), geoip && ((ip) => geoip.country(ip)));
  return {
    find: (ip) => {
      const rule = index.find(ip);
      return rule && { type: rule.type, value: rule.value };
    },
    holds: (ip) => index.covers(ip) !== undefined,
  };
}
