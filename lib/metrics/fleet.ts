import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** A proxy's part in its group; absent where it is alone. */
export function addFleetMetrics(families: Families, { fleet }: MetricsSource): void {
  families.gauge({
    name: "mc_proxy_fleet_members",
    help: "Proxies of the group that are there, this one among them: 1 also without PostgreSQL.",
  }, () => single(fleet()?.members));
  families.gauge({
    name: "mc_proxy_fleet_lag_seconds",
    help: "Since this proxy was where its group is.",
  }, () => single(fleet()?.lagSeconds));
  families.gauge({
    name: "mc_proxy_fleet_drained",
    help: "1 while the group wants no new connections here.",
  }, () => {
    const found = fleet();
    return single(found === undefined ? undefined : Number(found.isDrained));
  });
  families.gauge({
    name: "mc_proxy_fleet_clients_told",
    help: "Clients whose connections this proxy tells the others, for the sake of rate limits.",
  }, () => single(fleet()?.limits.told));
  families.gauge({
    name: "mc_proxy_fleet_limit_shares",
    help: "By how many this proxy divides its rate limits, because it hears nobody; else 1.",
  }, () => single(fleet()?.limits.shares));
  families.gauge({
    name: "mc_proxy_fleet_backends_checked",
    help:
      "Backends with checks that this proxy makes, and those that it leaves to others of its group.",
    labels: ["by"],
  }, () => {
    const { all, here } = fleet()?.checks ?? { all: 0, here: 0 };
    return fleet() === undefined
      ? []
      : [[{ by: "this" }, here] as const, [{ by: "others" }, all - here] as const];
  });
}

function single(value: number | undefined): (readonly [Record<string, never>, number])[] {
  return value === undefined ? [] : [[{}, value]];
}
