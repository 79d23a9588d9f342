import { nameFromText, octetString } from "../dns/mod.ts";
import type { DnsConfig } from "../dns_config/mod.ts";
import { parseZoneKeys } from "../dnssec/mod.ts";
import type { ServicesSettings, ZoneServiceSettings } from "./zone_services.ts";

/**
 * The keys and zones that a configuration names, with what its files hold; undefined: it names none.
 *
 * @throws {TypeError} if a file has changed since it was checked, and holds something else.
 */
export function readServices(
  { keys, zones, secondary }: DnsConfig,
  readFile: (path: string) => string = Deno.readTextFileSync,
): ServicesSettings | undefined {
  if (keys.length === 0 && zones.length === 0 && secondary.length === 0) return undefined;
  return {
    keys: keys.map(({ name, algorithm, secretFile }) => ({
      ...{ name, algorithm, secret: readFile(secretFile).trim() },
    })),
    zones: zones.map((own): ZoneServiceSettings => {
      const origin = nameFromText(own.zone);
      if (!origin.ok) throw new TypeError(`${own.zone}: ${origin.reason}`); // It was checked.
      const file = own.dnssecKeys;
      const stored = file === undefined ? undefined : parseZoneKeys(readFile(file));
      if (stored?.ok === false) throw new TypeError(`${file}: ${stored.reason}`);
      return {
        origin: octetString(origin.value),
        transferAddresses: own.allowTransfer,
        transferKeys: own.transferKeys,
        zoneKeys: stored?.value ?? [],
      };
    }),
  };
}
