import type { ZoneRow } from "../dns_store/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import type { Zone } from "../zones/mod.ts";
import type { DnsOperation } from "./operation.ts";

/** Another one after each change, and never that of another zone: one that is made anew has a new id. */
export function versionOf({ id }: ZoneRow, { serial }: Pick<Zone, "serial">): string {
  return `${id}.${serial}`;
}

/**
 * Refuses a change that was made for another version of the zone than this.
 *
 * @throws {RefusedError} `aborted`
 */
export function refuseOtherVersion(
  { row, zone }: { readonly row: ZoneRow; readonly zone: Pick<Zone, "serial"> },
  { ifVersion }: Pick<DnsOperation, "ifVersion">,
): void {
  const version = versionOf(row, zone);
  if (ifVersion === undefined || ifVersion.includes(version)) return;
  throw new RefusedError("aborted", `the zone is at version ${version}`);
}
