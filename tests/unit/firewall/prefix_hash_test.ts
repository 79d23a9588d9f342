import assert from "node:assert/strict";
import { hash4, hash6 } from "../../../lib/firewall/_prefix_hash.ts";
import { createRandom } from "../../support/fuzz.ts";

const TRIES = 100;

/** Each bit of one word of the input, flipped in turn: how often each bit of the hash changes. */
function assertAvalanche(hash: (words: number[]) => number, words: number): void {
  const random = createRandom(3);
  for (let word = 0; word < words; word++) {
    for (let bit = 0; bit < 32; bit++) {
      const changes = new Uint32Array(32);
      for (let i = 0; i < TRIES; i++) {
        const input = Array.from({ length: words }, () => random.below(2 ** 32) | 0);
        const other = input.with(word, (input[word] as number) ^ 1 << bit);
        const difference = hash(input) ^ hash(other);
        for (let out = 0; out < 32; out++) {
          if (difference >>> out & 1) changes[out] = (changes[out] as number) + 1;
        }
      }
      for (const [out, count] of changes.entries()) {
        // Seven standard deviations of a fair coin.
        const isFair = Math.abs(count - TRIES / 2) <= 3.5 * Math.sqrt(TRIES);
        assert(isFair, `bit ${bit} of word ${word} changes bit ${out} ${count} of ${TRIES} times`);
      }
    }
  }
}

Deno.test("hash4() lets every bit of seed and prefix change every bit of the hash", () => {
  assertAvalanche(([seed = 0, w0 = 0]) => hash4(seed, w0), 2);
});

Deno.test("hash6() lets every bit of the prefix change every bit of the hash", () => {
  assertAvalanche(([w0 = 0, w1 = 0, w2 = 0, w3 = 0]) => hash6(7, w0, w1, w2, w3), 4);
});

Deno.test("hash6() of one prefix depends on the seed and on the order of the words", () => {
  const seeds = new Set(Array.from({ length: 100 }, (_, seed) => hash6(seed, 1, 2, 3, 4)));
  assert.equal(seeds.size, 100);
  const orders = [[1, 2, 3, 4], [2, 1, 3, 4], [1, 3, 2, 4], [1, 2, 4, 3]] as const;
  assert.equal(new Set(orders.map(([a, b, c, d]) => hash6(1, a, b, c, d))).size, orders.length);
});
