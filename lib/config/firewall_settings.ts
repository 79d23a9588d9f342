import { MAX_CONNECTIONS_PER_SOURCE } from "../firewall/mod.ts";
import { boolean, filePath, integer, list, table } from "../schema/mod.ts";
import { LIMIT, MAX_RULES, ruleValue, WINDOW } from "../state/mod.ts";
import type { Config } from "./types.ts";

const SECOND = 1_000;

/** `[firewall]`: who is refused before anything is read. */
export const firewall = table<Config["firewall"]>({
  geoipDb: {
    key: "geoip_db",
    kind: filePath(),
    optional: true,
    doc: "A MaxMind database (`.mmdb`) with countries. Required for lists of countries. " +
      "SIGHUP reads it again.",
  },
  blockedIps: {
    key: "blocked_ips",
    kind: list(ruleValue("ip"), { maxLength: MAX_RULES }),
    default: [],
    doc: "Addresses whose connections are reset. Seeds the database.",
  },
  blockedCidrs: {
    key: "blocked_cidrs",
    kind: list(ruleValue("cidr"), { maxLength: MAX_RULES }),
    default: [],
    doc: "Blocks of addresses whose connections are reset. Seeds the database.",
  },
  blockedCountries: {
    key: "blocked_countries",
    kind: list(ruleValue("country")),
    default: [],
    doc: "Countries whose connections are reset. Seeds the database.",
  },
  allowedIps: {
    key: "allowed_ips",
    kind: list(ruleValue("ip"), { maxLength: MAX_RULES }),
    default: [],
    doc: "Addresses that no rule blocks, whatever the lists above say. Seeds the database.",
  },
  allowedCidrs: {
    key: "allowed_cidrs",
    kind: list(ruleValue("cidr"), { maxLength: MAX_RULES }),
    default: [],
    doc: "Blocks of addresses that are exempt from `blocked_cidrs` and `blocked_countries`, but " +
      "not from `blocked_ips`. Seeds the database.",
  },
  allowedCountries: {
    key: "allowed_countries",
    kind: list(ruleValue("country")),
    default: [],
    doc: "Countries that are exempt as `allowed_cidrs` are. Others are not refused for it: a " +
      "route's own lists do that. Seeds the database.",
  },
  allowedSkipRateLimit: {
    key: "allowed_skip_rate_limit",
    kind: boolean(),
    default: false,
    doc: "Whether the three lists above exempt from `rate_limit` too. Seeds the database.",
  },
  rateLimit: {
    key: "rate_limit",
    kind: LIMIT,
    default: 0,
    doc:
      "New connections per source address (IPv6: per `ipv6_prefix`) in each `rate_window`; more are " +
      "reset. 0: off.",
  },
  rateWindowMs: {
    key: "rate_window",
    kind: WINDOW,
    default: 10 * SECOND,
    doc: "The window of `rate_limit`.",
  },
  ipv6Prefix: {
    key: "ipv6_prefix",
    kind: integer({ min: 32, max: 64 }),
    default: 64,
    doc: "What counts as one source among IPv6 addresses, for `rate_limit` and " +
      "`max_connections_per_source`: as many bits of them. A customer has a /64, many have a /56.",
  },
  ipv6SiteFactor: {
    key: "ipv6_site_factor",
    kind: integer({ min: 0, max: 65_535 }),
    default: 32,
    doc:
      "How many times `rate_limit` all sources of one IPv6 /48 may do together: whoever has a /48 " +
      "has 65,536 times a /64. 0: any number.",
  },
  maxConnectionsPerSource: {
    key: "max_connections_per_source",
    kind: integer({ min: 0, max: MAX_CONNECTIONS_PER_SOURCE }),
    default: 0,
    doc:
      "Connections that one source address (IPv6: `ipv6_prefix`) may have open at one time, over " +
      "all listeners and workers; more are reset. Without PROXY protocol a proxy in front is one " +
      "source for all its clients. 0: any number.",
  },
});
