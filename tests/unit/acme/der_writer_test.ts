import assert from "node:assert/strict";
import { der, ecdsaSignature, oid, time, unsignedInteger } from "../../../lib/acme/der_writer.ts";

for (
  const [what, octets, hex] of [
    ["oid 2.5.29.17", oid("2.5.29.17"), "0603551d11"],
    ["oid 1.2.840.113549.1.9.14", oid("1.2.840.113549.1.9.14"), "06092a864886f70d01090e"],
    ["oid 1.3.6.1.5.5.7.1.31", oid("1.3.6.1.5.5.7.1.31"), "06082b0601050507011f"],
    ["zero", unsignedInteger(Uint8Array.of(0)), "020100"],
    ["no octets", unsignedInteger(new Uint8Array(0)), "020100"],
    ["leading zeroes", unsignedInteger(Uint8Array.of(0, 0, 127)), "02017f"],
    ["a sign", unsignedInteger(Uint8Array.of(128)), "02020080"],
    ["a short length", der(4, new Uint8Array(127)).subarray(0, 2), "047f"],
    ["a long length", der(4, new Uint8Array(128)).subarray(0, 3), "048180"],
    ["a longer length", der(4, new Uint8Array(256)).subarray(0, 4), "04820100"],
    ["2049", time(Date.UTC(2049, 11, 31, 23, 59, 59)), "170d3439313233313233353935395a"],
    ["2050", time(Date.UTC(2050, 0, 1)), "180f32303530303130313030303030305a"],
    [
      "a signature",
      ecdsaSignature(Uint8Array.of(0, 1, 200, 0)),
      "3008" + "020101" + "020300c800",
    ],
  ] as const
) {
  Deno.test(`the DER of ${what} is that of X.690`, () => assert.equal(octets.toHex(), hex));
}
