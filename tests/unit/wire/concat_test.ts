import assert from "node:assert/strict";
import { concat, joined } from "../../../lib/wire/mod.ts";

Deno.test("concat() and joined() put octets one after the other, in memory of their own", () => {
  const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3), Uint8Array.of(4, 5, 6)];
  for (const whole of [concat(...parts), joined(parts)]) {
    assert.deepEqual(whole, Uint8Array.of(1, 2, 3, 4, 5, 6));
    whole.fill(9);
  }
  assert.deepEqual(parts[0], Uint8Array.of(1, 2));
  assert.deepEqual(concat(), new Uint8Array(0));
});

Deno.test("joined() takes more parts than a call has arguments for", () => {
  const parts = Array.from({ length: 200_000 }, () => Uint8Array.of(7));
  assert.equal(joined(parts).length, 200_000);
});
