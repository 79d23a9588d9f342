import assert from "node:assert/strict";
import { ipFromBytes } from "../../../lib/addr/mod.ts";
import { GeoIpError, openGeoIp } from "../../../lib/firewall/mod.ts";
import type { FuzzTarget } from "../../support/fuzz_target.ts";
import { buildMmdb } from "../../support/mmdb.ts";

const MARKER = [0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com")];

/** Databases of countries. */
export const GEOIP: FuzzTarget = {
  name: "geoip",
  rounds: 2000,
  make(random) {
    if (random.below(3) === 0) {
      const parts = [...random.bytes(random.below(100)), ...MARKER, ...random.bytes(40)];
      return Uint8Array.from(parts);
    }
    const networks: Record<string, { country: { iso_code: string } }> = {};
    for (let i = random.below(4); i >= 0; i--) {
      networks[`${1 + random.below(200)}.0.0.0/${8 + random.below(9)}`] = {
        country: { iso_code: random.pick(["NL", "DE", "x", "ABC"]) },
      };
    }
    return buildMmdb({ networks });
  },
  check(bytes, random) {
    let geoip;
    try {
      geoip = openGeoIp(bytes);
    } catch (error) {
      assert(error instanceof GeoIpError, String(error));
      return void assert.match(error.code, /^geoip_/);
    }
    for (let i = 0; i < 20; i++) {
      const country = geoip.country(ipFromBytes(random.bytes(i % 2 === 0 ? 4 : 16)));
      if (country !== undefined) assert.match(country, /^[A-Z]{2}$/);
    }
  },
};
