import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { type GeoIp, GeoIpError, openGeoIp } from "../../../lib/firewall/mod.ts";
import { vectorPath, vectorTest } from "../../support/vectors.ts";

interface Lookup {
  readonly db: string;
  readonly ip: string;
  readonly expected: { readonly country?: string; readonly registered_country?: string } | null;
}

const FOLDER = "mmdb/test-data";
const ANY_FILE = `${FOLDER}/GeoLite2-Country-Test.mmdb`;
const DAMAGED = new Map([
  ["GeoIP2-City-Test-Invalid-Node-Count.mmdb", "geoip_inconsistent"],
  ["MaxMind-DB-test-broken-pointers-24.mmdb", "geoip_inconsistent"],
]);
/** Its coordinates are damaged, which cost it no country. */
const WITH_COUNTRIES = /^Geo(IP2|Lite2)-(City|Country)/;

function readDatabase(name: string): Uint8Array {
  const path = vectorPath(`${FOLDER}/${name}`);
  assert(path !== undefined);
  return Deno.readFileSync(path);
}

vectorTest<Lookup>(
  "mmdb/expected_lookups.jsonl",
  "country() finds what MaxMind does",
  (lookups) => {
    const open = new Map<string, GeoIp>();
    let compared = 0;
    for (const { db, ip, expected } of lookups) {
      if (!WITH_COUNTRIES.test(db)) continue;
      const geoip = open.get(db) ?? openGeoIp(readDatabase(db));
      open.set(db, geoip);
      const address = parseIp(ip);
      assert(address.ok, ip);
      const want = expected?.country ?? expected?.registered_country ?? undefined;
      assert.equal(geoip.country(address.value), want, `${ip} in ${db}`);
      compared++;
    }
    assert(compared > 2000);
  },
);

Deno.test({
  name: `openGeoIp() opens or refuses each of MaxMind's test files (vectors ${ANY_FILE})`,
  ignore: vectorPath(ANY_FILE) === undefined,
  fn: () => {
    const folder = vectorPath(ANY_FILE)?.replace(/[^/]*$/, "") ?? "";
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert(names.length > 20);
    for (const name of names) {
      const bytes = readDatabase(name);
      if (WITH_COUNTRIES.test(name) && !DAMAGED.has(name)) {
        assert.match(openGeoIp(bytes).databaseType, /City|Country/);
        continue;
      }
      assert.throws(() => openGeoIp(bytes), (error) => {
        return error instanceof GeoIpError && (DAMAGED.get(name) ?? error.code) === error.code;
      }, name);
    }
  },
});

Deno.test({
  name: `openGeoIp() refuses a real file cut off anywhere (vectors ${ANY_FILE})`,
  ignore: vectorPath(ANY_FILE) === undefined,
  fn: () => {
    const bytes = readDatabase("GeoLite2-Country-Test.mmdb");
    for (let length = 0; length < bytes.length; length += length < bytes.length - 400 ? 97 : 1) {
      assert.throws(() => openGeoIp(bytes.subarray(0, length)), GeoIpError, `${length} octets`);
    }
  },
});
