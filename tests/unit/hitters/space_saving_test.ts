import assert from "node:assert/strict";
import { SpaceSaving } from "../../../lib/hitters/mod.ts";
import { fuzzTest, type Random } from "../../support/fuzz.ts";

/** Some keys are a thousand times heavier than others, as on the internet. */
function skewedKey(random: Random): string {
  const spread = 1 << random.below(11);
  return `k${random.below(spread)}`;
}

fuzzTest("SpaceSaving keeps the bounds of its paper, whatever the stream", (random) => {
  for (const places of [1, 2, 3, 7, 16, 64]) {
    const sketch = new SpaceSaving<string>(places);
    const truth = new Map<string, number>();
    let total = 0;
    for (let i = 0; i < 3000; i++) {
      const key = skewedKey(random);
      const weight = 1 + random.below(random.pick([1, 1, 1500]));
      sketch.add(key, weight);
      truth.set(key, (truth.get(key) ?? 0) + weight);
      total += weight;
      if (i % 499 === 0 || i === 2999) checkBounds(sketch, { truth, total, places });
    }
  }
});

function checkBounds(
  sketch: SpaceSaving<string>,
  { truth, total, places }: {
    readonly truth: ReadonlyMap<string, number>;
    readonly total: number;
    readonly places: number;
  },
): void {
  const entries = sketch.entries();
  assert.equal(sketch.total, total);
  assert.equal(entries.length, Math.min(places, truth.size));
  assert.equal(new Set(entries.map(({ key }) => key)).size, entries.length, "no key twice");
  // What every place holds is what was added: nothing is lost and nothing invented.
  assert.equal(entries.reduce((sum, { count }) => sum + count, 0), total);
  for (const { key, count, error } of entries) {
    const exact = truth.get(key) ?? 0;
    assert.ok(count - error <= exact && exact <= count, `${key}: ${count} ± ${error}, ${exact}`);
    assert.ok(error <= total / places);
  }
  const watched = new Set(entries.map(({ key }) => key));
  for (const [key, exact] of truth) {
    if (watched.has(key)) continue;
    assert.ok(exact <= sketch.missed, `${key} with ${exact} is missed`);
    assert.ok(exact <= total / places);
  }
}

Deno.test("SpaceSaving is exact while there are places", () => {
  const sketch = new SpaceSaving<number>(2);
  for (const key of [1, 2, 1, 1]) sketch.add(key, 1);
  assert.equal(sketch.missed, 1, "a third key could be as heavy as the lightest");
  assert.deepEqual(sketch.entries(), [
    { key: 1, count: 3, error: 0 },
    { key: 2, count: 1, error: 0 },
  ]);
});

Deno.test("SpaceSaving.clear() forgets keys, weights and errors", () => {
  const sketch = new SpaceSaving<string>(1);
  sketch.add("a", 5);
  sketch.add("b", 1);
  sketch.clear();
  assert.deepEqual([sketch.total, sketch.missed, sketch.entries()], [0, 0, []]);
  sketch.add("b", 2);
  assert.deepEqual(sketch.entries(), [{ key: "b", count: 2, error: 0 }]);
});
