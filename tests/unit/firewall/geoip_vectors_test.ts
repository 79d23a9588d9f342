import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { type GeoIp, GeoIpError, openGeoIp } from "../../../lib/firewall/mod.ts";
import { vectorTest, vectorUrls } from "../../support/vectors.ts";

interface Lookup {
  readonly db: string;
  readonly ip: string;
  readonly expected: { readonly country?: string; readonly registered_country?: string } | null;
}

const FOLDER = "mmdb/test-data/";
const DAMAGED = new Map([
  ["GeoIP2-City-Test-Invalid-Node-Count.mmdb", "geoip_inconsistent"],
  ["MaxMind-DB-test-broken-pointers-24.mmdb", "geoip_inconsistent"],
]);
/** Its coordinates are damaged, which cost it no country. */
const WITH_COUNTRIES = /^Geo(IP2|Lite2)-(City|Country)/;

/** Fewer would mean that the files are not those that the tests were written for. */
const AT_LEAST = {
  others: { lookups: 2_001, files: 21 },
  ours: { lookups: 121, files: 5 },
} as const;

vectorTest<Lookup>(
  "mmdb/expected_lookups.jsonl",
  "country() finds what MaxMind does",
  (lookups, origin) => {
    const folder = vectorUrls(FOLDER).find((one) => one.origin === origin);
    const open = new Map<string, GeoIp>();
    let compared = 0;
    for (const { db, ip, expected } of lookups) {
      if (!WITH_COUNTRIES.test(db)) continue;
      const geoip = open.get(db) ?? openGeoIp(Deno.readFileSync(new URL(db, folder?.url)));
      open.set(db, geoip);
      const address = parseIp(ip);
      assert(address.ok, ip);
      const want = expected?.country ?? expected?.registered_country ?? undefined;
      assert.equal(geoip.country(address.value), want, `${ip} in ${db}`);
      compared++;
    }
    assert(compared >= AT_LEAST[origin].lookups, `${compared}`);
  },
);

for (const { origin, url } of vectorUrls(FOLDER)) {
  Deno.test(`openGeoIp() opens or refuses each of the test files of ${origin}`, () => {
    const names = [...Deno.readDirSync(url)].map(({ name }) => name);
    assert(names.length >= AT_LEAST[origin].files);
    for (const name of names) {
      const bytes = Deno.readFileSync(new URL(name, url));
      if (WITH_COUNTRIES.test(name) && !DAMAGED.has(name)) {
        assert.match(openGeoIp(bytes).databaseType, /City|Country/);
        continue;
      }
      assert.throws(() => openGeoIp(bytes), (error) => {
        return error instanceof GeoIpError && (DAMAGED.get(name) ?? error.code) === error.code;
      }, name);
    }
  });

  Deno.test(`openGeoIp() refuses a file (${origin}) cut off anywhere`, () => {
    const bytes = Deno.readFileSync(new URL("GeoLite2-Country-Test.mmdb", url));
    for (let length = 0; length < bytes.length; length += length < bytes.length - 400 ? 97 : 1) {
      assert.throws(() => openGeoIp(bytes.subarray(0, length)), GeoIpError, `${length} octets`);
    }
  });
}
