import type { DnsControl } from "../dns_control/mod.ts";
import { zoneJson } from "./answers.ts";
import type { Route } from "./route.ts";
import * as schema from "./schemas.ts";

/** What is asked of zones that other servers have first. */
export function secondaryRoutes(
  { control }: { readonly control: DnsControl },
): readonly Route[] {
  return [
    {
      ...{ method: "POST", path: "/v1/zones/{zone}/refresh", id: "RefreshZone", needs: "write" },
      summary: "Asks the primaries of a secondary zone for it; answers when it is what they have.",
      input: schema.REFRESH,
      output: schema.ZONE,
      handle: async ({ zone, input }) => {
        const { whole: isWhole = false } = input as { readonly whole?: boolean };
        await control.secondaries.refresh(zone, { isWhole });
        const view = control.zone(zone);
        return { version: view.version, json: zoneJson(view) };
      },
    },
  ];
}
