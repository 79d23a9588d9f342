import assert from "node:assert/strict";
import { halfSipHash } from "../../../lib/firewall/_half_siphash.ts";

Deno.test("halfSipHash() is Linux's hsiphash of nine octets (lib/test_siphash.c, 32 bits)", () => {
  // The key and the message are 00 01 02 …, as in all vectors of SipHash.
  assert.equal(
    halfSipHash(0x03020100, 0x07060504, 0x03020100, 0x07060504, 0x08),
    0xc839caed,
  );
});
