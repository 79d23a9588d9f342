import assert from "node:assert/strict";
import { createRandom } from "../../support/fuzz.ts";
import {
  bytesOf,
  corpusOf,
  failureOf,
  fuzz,
  type FuzzTarget,
  shorten,
  textOf,
} from "../../support/fuzz_target.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";
import { TARGETS } from "../../fuzz/targets/mod.ts";

/** Fails for what has both letters, in this order. */
const PICKY: FuzzTarget = {
  name: "picky",
  rounds: 0,
  check(bytes) {
    if (/a.*b/s.test(textOf(bytes))) throw new Error("a before b");
  },
};

Deno.test("fuzz() finds an input that fails, and keeps the shortest form of it in the corpus", async () => {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/picky`);
  Deno.writeTextFileSync(`${folder.path}/picky/start`, "xxxxaxxxx");
  const target = { ...PICKY, make: () => bytesOf("..a....b..") };
  const options = { random: createRandom(1), goesOn: () => true, root: folder.path };
  const { finding } = await fuzz(target, options);
  assert.equal(finding?.error.message, "a before b");
  assert.deepEqual(finding?.bytes, bytesOf("ab"));
  const kept = corpusOf("picky", folder.path).map(({ bytes }) => textOf(bytes));
  assert.deepEqual(kept, ["ab", "xxxxaxxxx"]);
});

Deno.test("fuzz() ends when it is told to, and keeps nothing of what holds", async () => {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/picky`);
  Deno.writeTextFileSync(`${folder.path}/picky/start`, "xx");
  const options = { random: createRandom(1), root: folder.path };
  const { tried, finding } = await fuzz({ ...PICKY, check: () => {} }, {
    ...options,
    goesOn: (tried) => tried < 50,
  });
  assert.deepEqual([tried, finding], [50, undefined]);
  assert.equal(corpusOf("picky", folder.path).length, 1);
});

Deno.test("shorten() makes every octet zero that may be", async () => {
  const target: FuzzTarget = {
    ...PICKY,
    check: (bytes) => assert.ok(bytes.length < 3 || bytes[2] !== 7),
  };
  const short = await shorten(target, Uint8Array.of(9, 8, 7, 6));
  assert.deepEqual(short, Uint8Array.of(0, 0, 7));
});

Deno.test("failureOf() draws the same for the same octets", async () => {
  const drawn: number[] = [];
  const target: FuzzTarget = { ...PICKY, check: (_, random) => void drawn.push(random.below(1e9)) };
  for (const text of ["a", "a", "b"]) await failureOf(target, bytesOf(text));
  assert.equal(drawn[0], drawn[1]);
  assert.notEqual(drawn[0], drawn[2]);
});

Deno.test("every target of `deno task fuzz` is tried with the tests, and every corpus is some target's", async () => {
  const folder = new URL("../../fuzz/", import.meta.url);
  let tests = "";
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.endsWith("_test.ts")) tests += await Deno.readTextFile(new URL(name, folder));
  }
  const names = TARGETS.map(({ name }) => name).sort();
  for (const name of names) assert.match(tests, new RegExp(`\\b${name.toUpperCase()}\\b`), name);
  const corpora = [...Deno.readDirSync(new URL("../../testdata/corpus", import.meta.url))];
  assert.deepEqual(corpora.map(({ name }) => name).sort(), names);
});
