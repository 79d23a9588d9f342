import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { type GeoIp, GeoIpError, openGeoIp } from "../../../lib/firewall/mod.ts";
import { buildCountryMmdb, buildMmdb, type MmdbOptions } from "../../support/mmdb.ts";

const COUNTRIES = buildCountryMmdb({
  "10.0.0.0/8": "NL",
  "10.1.0.0/16": "DE",
  "192.0.2.1/32": "FR",
  "2001:db8::/32": "JP",
  "2001:db8::1/128": "SE",
});

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function open(options: MmdbOptions): GeoIp {
  return openGeoIp(buildMmdb(options));
}

function assertRefused(bytes: Uint8Array, code?: string): void {
  assert.throws(() => openGeoIp(bytes), (error) => {
    return error instanceof GeoIpError && (code === undefined || error.code === code);
  });
}

Deno.test.each([
  ["10.0.0.0", "NL"],
  ["10.255.255.255", "NL"],
  ["10.1.2.3", "DE"],
  ["::ffff:10.1.2.3", "DE"],
  ["192.0.2.1", "FR"],
  ["192.0.2.2", undefined],
  ["9.255.255.255", undefined],
  ["2001:db8:ffff::", "JP"],
  ["2001:db8::1", "SE"],
  ["2001:db9::", undefined],
])("country() of %s is %s", (address, want) => {
  const geoip = openGeoIp(COUNTRIES);
  assert.equal(geoip.country(ip(address)), want);
  assert.equal(geoip.country(ip(address)), want, "the second time");
  assert.equal(geoip.decodeErrors, 0);
});

Deno.test.each([[24], [28], [32]] as const)("country() reads records of %i bits", (recordSize) => {
  const networks: Record<string, { country: { iso_code: string }; padding: string }> = {};
  for (let i = 0; i < 200; i++) {
    const letters = String.fromCharCode(65 + i % 26, 65 + i / 26);
    networks[`${i + 1}.0.0.0/8`] = { country: { iso_code: letters }, padding: "x".repeat(200) };
  }
  const geoip = open({ networks, recordSize });
  for (const [block, { country }] of Object.entries(networks)) {
    assert.equal(geoip.country(ip(block.slice(0, -2))), country.iso_code);
  }
});

Deno.test("openGeoIp() tells type and age", () => {
  const geoip = open({
    networks: { "10.0.0.0/8": { country: { iso_code: "NL" } } },
    databaseType: "GeoLite2-Country",
    buildEpoch: 1_770_245_369,
  });
  assert.equal(geoip.databaseType, "GeoLite2-Country");
  assert.equal(geoip.buildEpoch, 1_770_245_369);
});

Deno.test("country() falls back to registered_country, never to represented_country", () => {
  const geoip = open({
    networks: {
      "10.0.0.0/8": { country: { iso_code: "NL" }, registered_country: { iso_code: "DE" } },
      "11.0.0.0/8": { registered_country: { iso_code: "DE" } },
      "12.0.0.0/8": { represented_country: { iso_code: "US" }, continent: { code: "EU" } },
      "13.0.0.0/8": {
        country: { names: { en: "Nowhere" } },
        registered_country: { iso_code: "SE" },
      },
    },
  });
  const found = [10, 11, 12, 13].map((octet) => geoip.country(ip(`${octet}.0.0.1`)));
  assert.deepEqual(found, ["NL", "DE", undefined, "SE"]);
});

Deno.test("country() takes nothing for a code but two capital letters", () => {
  const geoip = open({
    networks: {
      "1.0.0.0/8": { country: { iso_code: "NL" } },
      "2.0.0.0/8": { country: { iso_code: "nl" } },
      "3.0.0.0/8": { country: { iso_code: "NLD" } },
      "4.0.0.0/8": { country: { iso_code: ["NL"] } },
      "5.0.0.0/8": { country: "NL" },
      "6.0.0.0/8": { country: ["NL"] },
      "8.0.0.0/8": { country: { iso_code: 42 } },
      "7.0.0.0/8": { ["__proto__"]: { country: { iso_code: "NL" } } },
    },
  });
  const found = [1, 2, 3, 4, 5, 6, 7, 8].map((octet) => geoip.country(ip(`${octet}.0.0.1`)));
  assert.deepEqual(found, ["NL", ...new Array(7).fill(undefined)]);
});

Deno.test("a database of IPv4 only has no country for IPv6", () => {
  const geoip = open({
    networks: { "32.1.13.184/32": { country: { iso_code: "NL" } } },
    ipVersion: 4,
  });
  assert.equal(geoip.country(ip("32.1.13.184")), "NL");
  // Its first 32 bits are those of the address above.
  assert.equal(geoip.country(ip("2001:db8::1")), undefined);
});

Deno.test("openGeoIp() reads shared memory without copying it, at any offset", () => {
  const shared = new Uint8Array(
    new SharedArrayBuffer(COUNTRIES.length + 100),
    50,
    COUNTRIES.length,
  );
  shared.set(COUNTRIES);
  const geoip = openGeoIp(shared);
  assert.equal(geoip.country(ip("10.1.2.3")), "DE");
  const at = findText(shared, "SE");
  shared[at + 1] = 0x4f;
  assert.equal(geoip.country(ip("2001:db8::1")), "SO");
});

Deno.test("openGeoIp() refuses every proper beginning of a file", () => {
  for (let length = 0; length < COUNTRIES.length; length++) {
    assertRefused(COUNTRIES.subarray(0, length));
  }
});

Deno.test("openGeoIp() refuses a file whose beginning is missing", () => {
  for (const cut of [1, 7, 100, 1000]) assertRefused(COUNTRIES.subarray(cut), "geoip_inconsistent");
});

/** Two letters for each of `count` networks of the same size. */
function manyCountries(count: number, first: number): Uint8Array {
  const countries: Record<string, string> = {};
  for (let i = first; i < first + count; i++) {
    countries[`${i >> 8}.${i & 255}.0.0/16`] = String.fromCharCode(65 + i % 26, 65 + i % 23);
  }
  return buildCountryMmdb(countries);
}

Deno.test.each([[1990, 1024], [2010, 1024], [2000, 1025]])(
  "openGeoIp() refuses a file half overwritten by a later one (%i networks from %i)",
  (count, first) => {
    const old = manyCountries(2000, 1024);
    const later = manyCountries(count, first);
    assert.equal(openGeoIp(old).country(ip("4.0.0.0")), "KM");
    for (const share of [0.1, 0.3, 0.5, 0.7]) {
      const mixed = old.slice();
      mixed.set(later.subarray(0, Math.floor(Math.min(old.length, later.length) * share)));
      assertRefused(mixed, "geoip_inconsistent");
    }
  },
);

Deno.test("openGeoIp() refuses a file that ends in zeroes", () => {
  assertRefused(COUNTRIES.slice().fill(0, COUNTRIES.length - 300), "geoip_unreadable");
});

Deno.test("openGeoIp() refuses what is no database, and one without countries", () => {
  assertRefused(new Uint8Array(0), "geoip_unreadable");
  assertRefused(new TextEncoder().encode("<html>Please sign in</html>"), "geoip_unreadable");
  assertRefused(
    buildMmdb({ networks: { "10.0.0.0/8": { autonomous_system_number: 64512 } } }),
    "geoip_no_countries",
  );
  assertRefused(buildMmdb({ networks: {} }), "geoip_no_countries");
  assertRefused(buildMmdb({ networks: { "10.0.0.0/8": "NL" } }), "geoip_inconsistent");
});

Deno.test("openGeoIp() of checked octets skips the tree, but not what any look-up relies on", () => {
  const geoip = openGeoIp(COUNTRIES, { isChecked: true });
  assert.equal(geoip.country(ip("10.1.2.3")), "DE");
  const cut = COUNTRIES.subarray(100);
  assert.throws(() => openGeoIp(cut, { isChecked: true }), GeoIpError);
  const none = buildMmdb({ networks: { "10.0.0.0/8": { autonomous_system_number: 64512 } } });
  assert.equal(openGeoIp(none, { isChecked: true }).country(ip("10.0.0.1")), undefined);
});

Deno.test("a damaged record is no country and is counted", () => {
  const bytes = COUNTRIES.slice();
  const at = findText(bytes, "SE");
  // The control octet before it becomes that of an extended type, which does not exist.
  bytes.set([0x00, 0xff], at - 1);
  const geoip = openGeoIp(bytes);
  assert.equal(geoip.country(ip("2001:db8::1")), undefined);
  assert.equal(geoip.country(ip("2001:db8::1")), undefined);
  assert.equal(geoip.decodeErrors, 2);
  assert.equal(geoip.country(ip("10.1.2.3")), "DE");
});

Deno.test("pointers that point at each other in ever more ways end as a decode error", () => {
  // Level n is an array of two pointers to level n + 1: 2^40 ways from the first to the last.
  const levels = 40;
  const bytes = buildMmdb({
    networks: {
      "10.0.0.0/8": { country: { iso_code: "NL" } },
      "11.0.0.0/8": { country: { iso_code: "X".repeat(levels * 6) } },
    },
  });
  const text = findText(bytes, "XXXX");
  const data = findText(bytes, "country") - 2;
  // The string's control octet and length, before its letters.
  let at = text - 2;
  for (let level = 0; level < levels; level++) {
    const next = at + 6 - data;
    const pointer = [0x20 | next >> 8, next & 255];
    bytes.set([0x02, 0x04, ...pointer, ...pointer], at);
    at += 6;
  }
  bytes.set([0x40, 0x40], at);
  const geoip = openGeoIp(bytes);
  assert.equal(geoip.country(ip("11.0.0.1")), undefined);
  assert.equal(geoip.decodeErrors, 1);
  assert.equal(geoip.country(ip("10.0.0.1")), "NL");
});

function findText(bytes: Uint8Array, text: string): number {
  const octets = new TextEncoder().encode(text);
  return bytes.findIndex((_, i) => octets.every((octet, j) => bytes[i + j] === octet));
}

/** Where the value of a metadata field begins: behind its name. */
function metadataAt(bytes: Uint8Array, name: string): number {
  const start = bytes.findLastIndex((_, i) => bytes[i] === 0xab && bytes[i + 1] === 0xcd);
  return start + findText(bytes.subarray(start), name) + name.length;
}

Deno.test.each([
  ["binary_format_major_version", 3],
  ["ip_version", 5],
  ["node_count", 0],
])("openGeoIp() refuses a database whose %s is %i", (name, value) => {
  const bytes = COUNTRIES.slice();
  const at = metadataAt(bytes, name);
  // The control octet holds the length of the number, which follows.
  const length = (bytes[at] as number) & 31;
  const extended = (bytes[at] as number) >> 5 === 0 ? 1 : 0;
  for (let i = 1; i <= length; i++) bytes[at + extended + i] = i === length ? value : 0;
  const message = "cannot open the GeoIP database: its metadata are invalid";
  assert.throws(() => openGeoIp(bytes), { code: "geoip_unreadable", message });
});
