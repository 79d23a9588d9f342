import assert from "node:assert/strict";
import { Offences } from "../../../lib/firewall/mod.ts";
import { fuzzTest } from "../../support/fuzz.ts";

Deno.test("Offences finds the offender at the count and not before, wherever the time begins", () => {
  const offences = new Offences({ count: 3, withinMs: 100 });
  assert.deepEqual([0, 90, 101, 102].map((at) => offences.note("a", at)), [
    false,
    false,
    false, // Three, but within 101 ms.
    true,
  ]);
  assert.equal(offences.size, 0, "and forgets it with that");
  assert.equal(offences.note("a", 103), false);
});

Deno.test("Offences of exactly the time apart still count", () => {
  const offences = new Offences({ count: 2, withinMs: 100 });
  assert.deepEqual([offences.note("a", 0), offences.note("a", 100)], [false, true]);
  assert.deepEqual([offences.note("b", 0), offences.note("b", 101)], [false, false]);
});

Deno.test("a count of one makes whoever does it once an offender", () => {
  assert.equal(new Offences({ count: 1, withinMs: 1000 }).note("a", 5), true);
});

Deno.test("Offences forgets whose last offence is the longest ago, and nobody else", () => {
  const offences = new Offences({ count: 2, withinMs: 1000 }, { maxSources: 2 });
  offences.note("a", 0);
  offences.note("b", 1);
  offences.note("c", 2);
  assert.equal(offences.size, 2);
  assert.equal(offences.note("b", 3), true);
  assert.equal(offences.note("a", 4), false, "it was forgotten");
});

fuzzTest("Offences says what a list of all times says", (random) => {
  const [count, withinMs] = [1 + random.below(6), 50];
  const offences = new Offences({ count, withinMs });
  const all = new Map<string, number[]>();
  let now = 0;
  for (let i = 0; i < 5000; i++) {
    now += random.below(12);
    const source = `s${random.below(4)}`;
    const times = [...all.get(source) ?? [], now];
    const expected = times.length >= count && now - (times.at(-count) ?? 0) <= withinMs;
    all.set(source, expected ? [] : times);
    assert.equal(offences.note(source, now), expected, `${source} at ${now}`);
  }
});

Deno.test.each([[2 ** 19, 2], [2 ** 20, 1], [2 ** 21, 1]])(
  "Offences of a count of %i remembers %i sources: memory is bounded",
  (count, sources) => {
    const offences = new Offences({ count, withinMs: 1000 });
    for (const source of ["a", "b", "c"]) offences.note(source, 1);
    assert.equal(offences.size, sources);
  },
);
