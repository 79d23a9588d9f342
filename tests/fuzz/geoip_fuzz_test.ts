import assert from "node:assert/strict";
import { ipFromBytes } from "../../lib/addr/mod.ts";
import { type GeoIp, GeoIpError, openGeoIp } from "../../lib/firewall/mod.ts";
import { fuzzTest, mutate, type Random } from "../support/fuzz.ts";
import { testTarget } from "../support/fuzz_target.ts";
import { buildMmdb } from "../support/mmdb.ts";
import { countryDatabase } from "../support/vectors.ts";
import { GEOIP } from "./targets/geoip.ts";

const ROUNDS = 1500;

testTarget(GEOIP);

/** Opens, or refuses with a GeoIpError; any other error fails the test. */
function tryOpen(bytes: Uint8Array): GeoIp | undefined {
  try {
    return openGeoIp(bytes);
  } catch (error) {
    if (!(error instanceof GeoIpError)) throw error;
    assert.match(error.code, /^geoip_/);
    return undefined;
  }
}

/** Look-ups in whatever opened neither throw nor return anything but a code. */
function lookUp(geoip: GeoIp, random: Random): void {
  for (let i = 0; i < 20; i++) {
    const country = geoip.country(ipFromBytes(random.bytes(i % 2 === 0 ? 4 : 16)));
    if (country !== undefined) assert.match(country, /^[A-Z]{2}$/);
  }
}

function flipOctets(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  for (let i = random.below(20); i >= 0; i--) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

function hammer(bytes: Uint8Array, random: Random): { opened: number; refused: number } {
  let opened = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const damaged = round % 3 === 0 ? mutate(bytes, random) : flipOctets(bytes, random);
    const geoip = tryOpen(damaged);
    if (geoip === undefined) continue;
    opened++;
    lookUp(geoip, random);
  }
  return { opened, refused: ROUNDS - opened };
}

fuzzTest("openGeoIp() survives damage to a small database", (random) => {
  const networks: Record<string, { country: { iso_code: string }; names: string[] }> = {};
  for (let i = 0; i < 20; i++) {
    networks[`${i * 11 + 1}.0.0.0/8`] = { country: { iso_code: "NL" }, names: ["a", "b"] };
  }
  const { opened, refused } = hammer(buildMmdb({ networks }), random);
  assert(opened > 0 && refused > 0, `${opened} opened, ${refused} refused`);
});

fuzzTest("openGeoIp() survives octets that only end like a database", (random) => {
  const marker = [0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com")];
  for (let round = 0; round < ROUNDS; round++) {
    const head = random.bytes(random.below(100));
    const geoip = tryOpen(Uint8Array.from([...head, ...marker, ...random.bytes(random.below(60))]));
    assert.equal(geoip, undefined);
  }
});

fuzzTest("openGeoIp() survives damage to a country database", (random) => {
  const bytes = countryDatabase();
  // The metadata and a few places in the rest.
  const tail = bytes.length - 300;
  hammer(bytes, random);
  for (let round = 0; round < ROUNDS; round++) {
    const damaged = bytes.slice();
    for (let i = 0; i < 3; i++) damaged[tail + random.below(300)] = random.below(256);
    const geoip = tryOpen(damaged);
    if (geoip !== undefined) lookUp(geoip, random);
  }
});
