import { canonical, type SecondaryView, type ZoneView } from "../dns_control/mod.ts";
import type { Answer, Call } from "./route.ts";

/** Whether somebody may look into a zone. */
export function mayRead({ access }: Call["caller"], zone: string): boolean {
  return access.may("read", canonical(zone) ?? zone);
}

/** A zone, with the version that a change of it can ask for. */
export function versioned(zone: ZoneView): Answer {
  return { version: zone.version, json: zoneJson(zone) };
}

/** What every change of a zone says: how far it is in effect. */
export function doneJson({ serial, version, pendingWorkers }: {
  readonly serial: number;
  readonly version: string;
  readonly pendingWorkers: readonly number[];
}) {
  return { serial, version, pending_workers: pendingWorkers };
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
