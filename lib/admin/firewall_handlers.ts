import type { Handlers } from "../rpc_server/mod.ts";
import { invalid } from "../control/mod.ts";
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
    async getFirewallRules(request) {
      const size = pageSizeOf(request);
      const after = idOfToken(request);
      await totals.take();
      const { rules: stored } = control.state.database;
      const all = size === Infinity && after === 0;
      // One more than asked for tells whether a page follows.
      const most = Number.isFinite(size) ? size + 1 : Number.MAX_SAFE_INTEGER;
      const found = all ? stored.list() : stored.page(after, most);
      const page = found.slice(0, size);
      return {
        rules: page.map((it) => fromRule(totals.withHits(it))),
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
