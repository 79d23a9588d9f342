import assert from "node:assert/strict";
import { nameEquals, nameFromText, nameKey, nameToText, readName } from "../../../lib/dns/mod.ts";
import { fuzzTest } from "../../support/fuzz.ts";
import { nameOf } from "../../support/dns_server.ts";

for (
  const [text, octets] of [
    [".", [0]],
    ["a.b.", [1, 97, 1, 98, 0]],
    ["A.b", [1, 65, 1, 98, 0]],
    ["\\..b.", [1, 46, 1, 98, 0]],
    ["\\000\\255.", [2, 0, 255, 0]],
  ] as const
) {
  Deno.test(`nameFromText(${JSON.stringify(text)}) is its octets, and back`, () => {
    const name = nameFromText(text);
    assert(name.ok);
    assert.deepEqual([...name.value], octets);
    assert.equal(nameToText(name.value), text.endsWith(".") ? text : `${text}.`);
  });
}

for (const text of ["", "..", ".a", "a..b", "a".repeat(64), "\\256", "\\", "é€"]) {
  Deno.test(`nameFromText(${JSON.stringify(text.slice(0, 10))}) is refused`, () => {
    assert.equal(nameFromText(text).ok, false);
  });
}

Deno.test("nameFromText() takes 255 octets and not one more", () => {
  const label = "a".repeat(61);
  const most = `${label}.${label}.${label}.${label}.`; // 4 × 62 + 1 = 249
  assert.equal(nameOf(`${most}bcdef`).length, 255);
  assert.equal(nameFromText(`${most}bcdefg`).ok, false);
});

Deno.test("readName() follows pointers to what is before, once each", () => {
  // 0: b.  3: a + pointer to 0.  7: pointer to 3.
  const message = Uint8Array.of(1, 98, 0, 1, 97, 0xc0, 0, 0xc0, 3);
  assert.deepEqual(readName(message, 3), { name: Uint8Array.of(1, 97, 1, 98, 0), next: 7 });
  assert.deepEqual(readName(message, 7), { name: Uint8Array.of(1, 97, 1, 98, 0), next: 9 });
});

for (
  const [what, octets, at] of [
    ["a pointer to itself", [0xc0, 0], 0],
    ["two pointers to each other", [0xc0, 2, 0xc0, 0], 2],
    ["a pointer forward", [0xc0, 2, 0], 0],
    ["a pointer into the name itself", [1, 97, 0xc0, 0], 0],
    ["a label that is cut off", [3, 97, 98], 0],
    ["a name without its end", [1, 97], 0],
    ["half a pointer", [0xc0], 0],
    ["a label type of an experiment", [0x41, 0], 0],
    ["nothing", [], 0],
  ] as const
) {
  Deno.test(`readName() refuses ${what}`, () => {
    assert.equal(readName(Uint8Array.from(octets), at), undefined);
  });
}

Deno.test("readName() refuses a name over 255 octets, also one made of pointers", () => {
  const label = [63, ...new Array(63).fill(97)];
  const long = Uint8Array.from([...label, ...label, ...label, 0, ...label, 0xc0, 0]);
  assert.equal(readName(long, 0)?.name.length, 193);
  assert.equal(readName(long, 193), undefined);
});

Deno.test("nameEquals() and nameKey() ignore the case of ASCII letters and of nothing else", () => {
  const pairs = [["A.b", "a.B", true], ["a", "b", false], ["a.b", "ab", false]] as const;
  for (const [a, b, same] of pairs) {
    assert.equal(nameEquals(nameOf(a), nameOf(b)), same);
    assert.equal(nameKey(nameOf(a)) === nameKey(nameOf(b)), same);
  }
  assert.equal(nameEquals(nameOf("\\193"), nameOf("\\225")), false);
  assert.equal(nameEquals(nameOf("\\064"), nameOf("\\096")), false);
  assert.equal(nameEquals(nameOf("\\091"), nameOf("\\123")), false);
});

fuzzTest("readName() ends and stays within bounds whatever it reads", (random) => {
  for (let i = 0; i < 20_000; i++) {
    const bytes = random.bytes(random.below(64));
    for (let j = 0; j < bytes.length; j++) {
      if (random.below(3) === 0) bytes[j] = random.pick([0xc0, 0, 1, 2, 63]);
    }
    const at = random.below(bytes.length + 1);
    const found = readName(bytes, at);
    if (found === undefined) continue;
    assert(found.name.length <= 255 && found.next > at && found.next <= bytes.length);
    const again = nameFromText(nameToText(found.name));
    assert(again.ok);
    assert.deepEqual(again.value, found.name);
  }
});
