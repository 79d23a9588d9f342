import type { DnsControl, SecondaryView, ZoneView } from "../dns_control/mod.ts";
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

/** A zone as the API shows it. */
export function zoneJson({ secondary, ...zone }: ZoneView) {
  return secondary === undefined ? zone : { ...zone, secondary: secondaryJson(secondary) };
}

function secondaryJson({ primaries, primary, isExpired, failures, ...state }: SecondaryView) {
  const { refreshedAt, expiresAt, nextAt, lastError } = state;
  return {
    ...{ primaries, primary, expired: isExpired, failures, last_error: lastError },
    ...refreshedAt !== undefined && { refreshed_at: timeText(refreshedAt) },
    ...expiresAt !== undefined && { expires_at: timeText(expiresAt) },
    ...nextAt !== undefined && { next_at: timeText(nextAt) },
  };
}

/** A time of the API, in UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
