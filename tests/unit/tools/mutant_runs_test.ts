import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { instrument } from "../../../tools/mutants/instrument.ts";
import {
  type Fate,
  runMutants,
  runStaticMutant,
  stepLimits,
  surveyTests,
} from "../../../tools/mutants/run.ts";

const SOURCE = `
const TABLE = [2, 3].map((n) => double(n));
function double(n) { return n * 2; }
export function look(i) { return TABLE[i]; }
export function count(to) {
  let n = 0;
  while (n < to) n++;
  return n;
}
export function unused() { return 7; }
`;

const TEST = `
import { count, look } from "./lib.js";
Deno.test("look", () => { if (look(1) !== 6) throw new Error("look"); });
Deno.test("count", () => { if (count(3) !== 3) throw new Error("count"); });
`;

Deno.test("a run of mutants tells killed, hung and unnoticed ones apart, also those of loading", async () => {
  const root = await Deno.makeTempDir();
  try {
    const { code, mutants } = instrument("lib.js", SOURCE);
    await Deno.writeTextFile(join(root, "lib.js"), code);
    await Deno.writeTextFile(join(root, "lib_test.js"), TEST);
    await Deno.writeTextFile(join(root, "deno.json"), "{}");
    const testFiles = [pathToFileURL(join(root, "lib_test.js")).href];
    const { tests, onLoad } = await surveyTests({ root, testFiles }, mutants.length);
    assert.deepEqual(tests.map(({ name }) => name), ["look", "count"]);
    const idOf = (original: string, replacement: string) => {
      const found = mutants.find((it) =>
        it.original === original && it.replacement === replacement
      );
      assert(found, original);
      return found.id;
    };
    const filled = idOf("n * 2", "n / 2");
    const wrong = idOf("return TABLE[i];", "return undefined;");
    const endless = idOf("n < to", "!(n < to)");
    const late = idOf("n < to", "n <= to");
    const unseen = idOf("return 7;", "return undefined;");
    assert(onLoad.has(filled) && !onLoad.has(wrong));
    const passing = (id: number) =>
      tests.filter(({ passes }) => passes.includes(id)).map(({ name }) => name);
    assert.deepEqual([wrong, late, unseen, filled].map(passing), [["look"], ["count"], [], []]);

    const bench = { root, testFiles, limits: stepLimits(tests) };
    const all = tests.map(({ test }) => test);
    const fates = await runMutants(bench, [wrong, endless, late].map((id) => ({ id, tests: all })));
    const kinds = [wrong, endless, late].map((id) => fates.get(id)?.kind);
    assert.deepEqual(kinds, ["killed", "killed", "killed"]);
    const fate: Fate = await runStaticMutant(bench, { id: filled, tests: all });
    assert.deepEqual(fate, { kind: "killed", test: "look" });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
