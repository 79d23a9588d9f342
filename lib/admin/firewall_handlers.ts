import type { Handlers } from "../rpc_server/mod.ts";
import { invalid, type ServedState } from "../control/mod.ts";
import type { StoredRule } from "../db/mod.ts";
import { mapInSteps, runInSlices, type Steps } from "../slices/mod.ts";
import { rateLimitToMessage } from "../messages/mod.ts";
import { RATE_LIMIT, RULE } from "../state/mod.ts";
import { type AdminContext, operation } from "./context.ts";
import { askHistory, fromReplayed } from "./history_handlers.ts";
import * as pb from "./gen/mod.ts";
import { idOfToken, pageSizeOf } from "./pages.ts";
import { fromGeoIp, fromRule, optionalMs, toRecord } from "./messages.ts";

type FirewallMethods =
  | "getFirewallRules"
  | "addFirewallRule"
  | "removeFirewallRule"
  | "setRateLimit"
  | "reloadGeoIP";

/** The firewall. */
export function firewallHandlers(
  context: AdminContext,
): Pick<Handlers<typeof pb.ProxyAdminService>, FirewallMethods> {
  const { control } = context;
  const { firewall, totals } = control;
  return {
    async getFirewallRules(request, { signal }) {
      const size = pageSizeOf(request);
      const after = idOfToken(request);
      await totals.take();
      // One more than asked for tells whether a page follows.
      const found = await runInSlices(rulesAfter(control.state, after, size + 1), { signal });
      const page = found.slice(0, size);
      const messages = mapInSteps(page, (rule) => fromRule(totals.withHits(rule)));
      return {
        rules: await runInSlices(messages, { signal }),
        rateLimit: rateLimitToMessage(firewall.rateLimit),
        nextPageToken: found.length > page.length ? `${page.at(-1)?.id}` : "",
      };
    },
    async addFirewallRule(request, call) {
      const { ttl, closeConnections: close, dryRun, replay } = request;
      const by = operation("AddFirewallRule", context, call, request.ifRevision);
      const settings = toRecord(RULE, [pb.AddFirewallRuleRequestSchema, request]);
      const given = { rule: settings, ttlMs: optionalMs(ttl), close, dryRun };
      const spanMs = optionalMs(replay);
      if (spanMs !== undefined && !dryRun) throw invalid("replay", "needs dry_run");
      const { rule, live, closed } = await firewall.addRule(given, by);
      const counts = { liveConnections: live, closedConnections: closed };
      return {
        rule: fromRule(rule),
        ...counts,
        pendingWorkers: by.pendingWorkers,
        ...spanMs !== undefined && {
          replay: fromReplayed(await askHistory(control.replay.ofRule(rule, spanMs))),
        },
      };
    },
    async removeFirewallRule(request, call) {
      const by = operation("RemoveFirewallRule", context, call, request.ifRevision);
      const wanted = request.id === 0n
        ? toRecord(RULE, [pb.RemoveFirewallRuleRequestSchema, request])
        : Number(request.id);
      const isNamed = typeof wanted === "number" || request.action !== "";
      const rule = await firewall.removeRule(wanted, by, { orAllowing: !isNamed });
      return { rule: fromRule(totals.withHits(rule)), ...by.done };
    },
    async setRateLimit({ rateLimit, ifRevision }, call) {
      if (rateLimit === undefined) throw invalid("rate_limit", "is missing");
      const by = operation("SetRateLimit", context, call, ifRevision);
      const stored = await firewall.setRateLimit(
        toRecord(RATE_LIMIT, [pb.RateLimitSchema, rateLimit], ["rate_limit"]),
        by,
      );
      return { rateLimit: rateLimitToMessage(stored), ...by.done };
    },
    async reloadGeoIP() {
      const { geoip } = await control.geoip.swap();
      const { databaseType: type, buildEpoch } = geoip;
      return { geoip: fromGeoIp({ type, builtAt: buildEpoch * 1000 }) };
    },
  };
}

/** Rules that are read in one go, which takes a few milliseconds. */
const AT_ONCE = 500;

/** Up to `most` rules behind an id. */
function* rulesAfter(
  { database: { rules } }: ServedState,
  after: number,
  most: number,
): Steps<StoredRule[]> {
  const found: StoredRule[] = [];
  for (let last = after; found.length < most;) {
    const piece = rules.page(last, Math.min(AT_ONCE, most - found.length));
    if (piece.length === 0) break;
    for (const rule of piece) found.push(rule);
    last = found.at(-1)?.id ?? last;
    yield;
  }
  return found;
}
