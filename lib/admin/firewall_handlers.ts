import { invalid } from "../control/mod.ts";
import type { Handlers } from "./grpc_service.ts";
import { type AdminContext, operation } from "./context.ts";
import type { ProxyAdminService } from "./gen/mod.ts";
import { fromGeoIp, fromRateLimit, fromRule, optionalMs, toRateLimit } from "./messages.ts";

type FirewallMethods =
  | "getFirewallRules"
  | "addFirewallRule"
  | "removeFirewallRule"
  | "setRateLimit"
  | "reloadGeoIP";

/** The firewall. */
export function firewallHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, FirewallMethods> {
  const { control } = context;
  const { firewall, tallies } = control;
  return {
    async getFirewallRules() {
      await tallies.take();
      const rules = control.state.database.rules.list().map((it) => fromRule(tallies.withHits(it)));
      return { rules, rateLimit: fromRateLimit(firewall.rateLimit) };
    },
    async addFirewallRule({ type, value, reason, ttl, closeConnections: close }, call) {
      const by = operation("AddFirewallRule", context, call);
      const input = { type, value, reason, ttlMs: optionalMs(ttl), close };
      const { rule, live, closed } = await firewall.addRule(input, by);
      return { rule: fromRule(rule), liveConnections: live, closedConnections: closed };
    },
    async removeFirewallRule({ type, value, id }, call) {
      const by = operation("RemoveFirewallRule", context, call);
      const byId = id === 0n ? undefined : Number(id);
      const rule = await firewall.removeRule({ id: byId, type, value }, by);
      return { rule: fromRule(tallies.withHits(rule)) };
    },
    async setRateLimit({ rateLimit }, call) {
      if (rateLimit === undefined) throw invalid("rate_limit", "is missing");
      const by = operation("SetRateLimit", context, call);
      const stored = await firewall.setRateLimit(toRateLimit(rateLimit), by);
      return { rateLimit: fromRateLimit(stored) };
    },
    async reloadGeoIP() {
      const { geoip } = await control.swapGeoIp();
      const { databaseType: type, buildEpoch } = geoip;
      return { geoip: fromGeoIp({ type, builtAt: buildEpoch * 1000 }) };
    },
  };
}
