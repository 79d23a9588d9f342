import assert from "node:assert/strict";
import { sipHash, sipKey } from "../../../lib/dns/mod.ts";

const key = sipKey(Uint8Array.from({ length: 16 }, (_, i) => i));
const message = (length: number) => Uint8Array.from({ length }, (_, i) => i);

Deno.test("sipHash() gives the values of its authors", () => {
  // vectors_sip64 of the reference implementation, for messages of so many octets.
  const vectors: readonly [number, string][] = [
    [0, "310e0edd47db6f72"],
    [1, "fd67dc93c539f874"],
    [2, "5a4fa9d909806c0d"],
    [7, "37d1018bf50002ab"],
    [8, "6224939a79f5f593"],
    [15, "e545be4961ca29a1"],
    [16, "db9bc2577fcc2a3f"],
    [63, "724506eb4c328a95"],
  ];
  for (const [length, expected] of vectors) {
    assert.equal(sipHash(key, message(length)).toHex(), expected, `${length} octets`);
  }
});

Deno.test("sipKey() refuses what is not 16 octets", () => {
  assert.throws(() => sipKey(new Uint8Array(15)), RangeError);
  assert.throws(() => sipKey(new Uint8Array(17)), RangeError);
});
