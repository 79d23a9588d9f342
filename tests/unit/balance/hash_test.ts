import assert from "node:assert/strict";
import { hashText, rendezvous } from "../../../lib/balance/hash.ts";

// Made by a program of a few lines in another language: FNV-1a, the last step of MurmurHash3, and the
// formula of the paper. Who changes them moves clients to other backends when the program is renewed.

Deno.test.each([
  ["", 0xab3e7c0b],
  ["a", 0x1a80b1b3],
  ["10.0.0.1:443", 0x82110ba3],
  ["198.51.100.7", 0x1f7fc53c],
])("hashText() of %j is FNV-1a, mixed", (text, hash) => {
  assert.equal(hashText(text), hash);
});

Deno.test.each([
  [0, 0, 1, 0.0437180315420898],
  [1, 2, 1, 22.10652684108217],
  [2, 1, 1, 1.4422323498280043],
  [0xffffffff, 0x80000000, 3, 4.5564046220632894],
])("rendezvous() of client %d, backend %d and weight %d", (client, backend, weight, score) => {
  const found = rendezvous(client, backend, weight);
  assert.ok(Math.abs(found - score) < 1e-12 * score, String(found));
});
