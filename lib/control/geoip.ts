import { type GeoIp, openGeoIp } from "../firewall/mod.ts";
import type { FirewallSnapshot } from "../plane/mod.ts";
import { invalid } from "../queue/mod.ts";
import type { RouteSettings } from "../state/mod.ts";

/** A GeoIP database in memory that every worker shares, with what it says of itself. */
export interface LoadedGeoIp {
  readonly buffer: SharedArrayBuffer;
  readonly geoip: GeoIp;
}

/**
 * Reads a GeoIP database whole and checks it before anybody looks anything up in it. Reading
 * instead of mapping the file means that one overwritten in place cannot tear look-ups.
 *
 * @throws {GeoIpError} if the file is not a complete country database.
 */
export async function loadGeoIp(
  path: string,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<LoadedGeoIp> {
  const bytes = await readFile(path);
  const buffer = new SharedArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return { buffer, geoip: openGeoIp(new Uint8Array(buffer)) };
}

/**
 * Refuses a route that names countries where nobody's country is known: nobody could use it.
 *
 * @param at how messages begin the names of its fields.
 * @throws {RefusedError}
 */
export function refuseUnknownCountries(
  { allowedCountries = [] }: Pick<RouteSettings, "allowedCountries">,
  { snapshot }: { readonly snapshot: { readonly firewall: Pick<FirewallSnapshot, "geoip"> } },
  at = "",
): void {
  if (allowedCountries.length === 0 || snapshot.firewall.geoip !== undefined) return;
  throw invalid(`${at}allowed_countries`, "needs a GeoIP database");
}
