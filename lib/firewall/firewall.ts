import { embeddedIpv4, type IpAddress } from "../addr/mod.ts";
import { type CountryOf, RuleIndex } from "./_rule_index.ts";
import type { CompiledFirewall } from "./compile.ts";
import type { GeoIp } from "./geoip.ts";
import type { FirewallRule } from "./rule.ts";

/** What happens to a connection, and if it is blocked, by which rule. */
export type Verdict =
  | {
    readonly action: "allow";
    /** Whether a rule allows it; else none blocks it. */
    readonly byRule?: true;
  }
  | { readonly action: "block"; readonly rule: FirewallRule };

/** Decides about addresses. */
export interface Firewall {
  /**
   * The verdict on the real client address. Rules that allow come first: one exempts from blocks of
   * addresses and of countries, and one of a single address also from a rule that blocks this
   * address. Of the rules that block the most specific is named: an `ip` rule, the longest `cidr`, a
   * `country`. An IPv6 address that stands for an IPv4 one (NAT64, 6to4 and the like) is held
   * against the blocks of both. Allocates nothing for an allowed address.
   */
  check(ip: IpAddress): Verdict;
  /** The rule that allows an address, whatever blocks it. */
  allowing(ip: IpAddress): FirewallRule | undefined;
  /** Whether a rule allows an address and says that the rate limit does not hold for it. */
  skipsRateLimit(ip: IpAddress): boolean;
}

/** One object for all connections that no rule is about, and one for those that a rule allows. */
const ALLOW: Verdict = Object.freeze({ action: "allow" });
const ALLOW_BY_RULE: Verdict = Object.freeze({ action: "allow", byRule: true });

/**
 * Makes compiled rules usable; cheap, whatever their number. Without `geoip` no `country` rule ever
 * applies: whoever configures such rules has to insist on a database.
 */
export function createFirewall(compiled: CompiledFirewall, geoip?: GeoIp): Firewall {
  const countryOf = geoip && rememberLast(geoip);
  const blocked = new RuleIndex(compiled, countryOf);
  const allowed = compiled.allowed && new RuleIndex(compiled.allowed, countryOf);
  const unlimited = compiled.unlimited && new RuleIndex(compiled.unlimited, countryOf);
  const checkOne = (ip: IpAddress): Verdict => {
    const allows = allowed?.covers(ip);
    if (allows === "ip") return ALLOW_BY_RULE;
    const rule = blocked.find(ip);
    if (rule !== undefined && (allows === undefined || rule.type === "ip")) {
      return { action: "block", rule };
    }
    return allows === undefined ? ALLOW : ALLOW_BY_RULE;
  };
  return {
    check(ip) {
      const verdict = checkOne(ip);
      if (ip.family === 4 || verdict.action === "block") return verdict;
      for (const v4 of embeddedIpv4(ip)) {
        const meant = checkOne(v4);
        if (meant.action === "allow") continue;
        // What is allowed is exempt from the same blocks under its other address.
        if (verdict.byRule !== true || meant.rule.type === "ip") return meant;
      }
      return verdict;
    },
    allowing: (ip) => {
      const rule = allowed?.find(ip);
      return rule && { ...rule, action: "allow" };
    },
    skipsRateLimit: (ip) => unlimited?.covers(ip) !== undefined,
  };
}

/** One address is looked up several times in a row: by rules that allow, and by those that block. */
export function rememberLast(geoip: Pick<GeoIp, "country">): CountryOf {
  let last: IpAddress | undefined;
  let country: string | undefined;
  return (ip) => {
    if (ip !== last) {
      country = geoip.country(ip);
      last = ip;
    }
    return country;
  };
}
