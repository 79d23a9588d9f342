import assert from "node:assert/strict";
import { foldCase, octetsOf, octetString } from "../../../lib/dns/mod.ts";

Deno.test("octetString() and octetsOf() keep every octet, however many there are", () => {
  const all = Uint8Array.from({ length: 70_000 }, (_, i) => i);
  assert.deepEqual(octetsOf(octetString(all)), all);
  assert.equal(octetString(all).length, 70_000);
});

Deno.test("foldCase() folds ASCII letters and no other octet", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const folded = octetsOf(foldCase(octetString(all)));
  for (const [i, octet] of folded.entries()) {
    assert.equal(octet, i >= 0x41 && i <= 0x5a ? i + 0x20 : i);
  }
});
