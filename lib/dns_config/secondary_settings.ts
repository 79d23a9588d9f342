import { DEFAULT_BOUNDS } from "../replication/mod.ts";
import { duration, list, parsed, table } from "../schema/mod.ts";
import { serverEndpoint } from "../settings/mod.ts";
import { ipOrCidr } from "../state/mod.ts";
import type { SecondaryConfig } from "./types.ts";
import { zoneName } from "./zone_settings.ts";

/** More than anybody writes. */
const MAX_LIST = 1000;
const SECOND = 1000;
const YEAR = 366 * 86_400 * SECOND;

const bound = (key: string, seconds: number, doc: string) => ({
  ...{ key, doc, kind: duration({ min: SECOND, max: YEAR }), default: SECOND * seconds },
});

/** `[[dns.secondary]]`. */
export const secondary = table<SecondaryConfig>({
  zone: {
    key: "zone",
    kind: parsed("name of a zone", zoneName),
    required: true,
    doc:
      "A zone that other servers have first. It is transferred from them (IXFR, else AXFR), kept " +
      "in the database, and changed by nobody else. `[[dns.zones]]` of the same name says who may " +
      "have it from here.",
  },
  primaries: {
    key: "primaries",
    kind: list(parsed('`"IP"`, `"IPv4:port"` or `"[IPv6]:port"`', serverEndpoint), {
      maxLength: MAX_LIST,
    }),
    required: true,
    doc:
      "The servers that it comes from, asked in this order until one answers, at port 53 unless " +
      "they say otherwise.",
  },
  key: {
    key: "key",
    kind: parsed("name of a key", zoneName),
    optional: true,
    doc:
      "A key of `[[dns.keys]]` with which questions are signed, and answers and NOTIFY have to " +
      "be (TSIG). Absent: nothing is signed, and whoever forges a primary's address is believed.",
  },
  allowNotify: {
    key: "allow_notify",
    kind: list(ipOrCidr(), { maxLength: MAX_LIST }),
    default: [],
    doc: "Addresses and blocks beside the primaries whose word is taken that the zone has changed.",
  },
  minRefreshMs: bound(
    "min_refresh",
    DEFAULT_BOUNDS.minRefresh,
    "The primaries are asked no more often than this, whatever the zone's SOA record says.",
  ),
  maxRefreshMs: bound("max_refresh", DEFAULT_BOUNDS.maxRefresh, "And no less often than this."),
  minRetryMs: bound(
    "min_retry",
    DEFAULT_BOUNDS.minRetry,
    "After a failure they are asked no sooner than this.",
  ),
  maxRetryMs: bound("max_retry", DEFAULT_BOUNDS.maxRetry, "And no later than this."),
  maxExpireMs: bound(
    "max_expire",
    DEFAULT_BOUNDS.maxExpire,
    "A zone that no primary has vouched for answers SERVFAIL after this at the latest.",
  ),
});
