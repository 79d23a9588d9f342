import assert from "node:assert/strict";
import {
  asEquivalent,
  goneEquivalents,
  loadEquivalents,
} from "../../../tools/mutants/equivalents.ts";
import { instrument } from "../../../tools/mutants/instrument.ts";
import { SWITCH } from "../../../tools/mutants/work.ts";

/** What the expression is with each of its mutants on, after what it is with none. */
async function valuesOf(source: string): Promise<unknown[]> {
  const { code, mutants } = instrument("example.ts", `export const run = () => { ${source} };`);
  const module = await import(`data:text/typescript,${encodeURIComponent(code)}`);
  const valueWith = (id: number) => {
    (globalThis as Record<string, unknown>)[SWITCH] = (at: number) => at === id;
    try {
      return module.run();
    } catch (error) {
      return (error as Error).message;
    }
  };
  try {
    return [-1, ...mutants.map(({ id }) => id)].map(valueWith);
  } finally {
    delete (globalThis as Record<string, unknown>)[SWITCH];
  }
}

Deno.test.each([
  ["return 1 < 1 ? 5 : 7;", [7, undefined, 5, 5, 7, 5, 7, 8]],
  ["return 4 - 1;", [3, undefined, 5, 4, 2]],
  ["throw new Error('x');", ["x", undefined]],
  ["const a = []; a.push(1); return a.length;", [1, 0, 1, undefined]],
  ["return false || 'b';", ["b", undefined, false, "b", true]],
])("instrument() writes every mutant of %s behind its switch", async (source, want) => {
  const values = await valuesOf(source);
  assert.deepEqual(values.toSorted(), [...want].toSorted());
});

Deno.test("instrument() names the line, what stands there, and what instead", () => {
  const { mutants } = instrument("a.ts", "export const f = (a: number) =>\n  a <= 9;\n", {
    firstId: 7,
  });
  assert.deepEqual(
    mutants.map(({ id, line, kind, replacement }) => [id, line, kind, replacement]),
    [
      [8, 2, "bound moved", "a < 9"],
      [9, 2, "return replaced", "undefined"],
      [7, 2, "number moved by one", "9 + 1"],
    ].toSorted(([a], [b]) => Number(a) - Number(b)),
  );
});

Deno.test("instrument() names what is around a mutant, whatever its line", () => {
  const { mutants } = instrument(
    "a.ts",
    "const LIMIT = 5;\nclass C { #n = 3; m() { return () => 4; } }\n" +
      "function outer() { const inner = () => 6; const x = 7; }\n",
  );
  const around = mutants.filter(({ kind }) => kind === "number moved by one")
    .map(({ original, within }) => [original, within]);
  assert.deepEqual(around, [
    ["5", "LIMIT"],
    ["3", "C.#n"],
    ["4", "C.m"],
    ["6", "outer.inner"],
    ["7", "outer"],
  ]);
});

Deno.test("instrument() counts what only its order tells apart", () => {
  const { mutants } = instrument(
    "a.ts",
    "function f(a) {\n  if (a > 5) return a;\n  return a > 5;\n}\nfunction g() { return 5; }\n",
  );
  const alike = mutants.filter(({ original }) => original === "5")
    .map(({ line, within, nth }) => [line, within, nth]);
  assert.deepEqual(alike, [[2, "f", 1], [3, "f", 2], [5, "g", 1]]);
});

Deno.test("an entry of the list of equivalents is one of several that are alike", () => {
  const source = Deno.readTextFileSync(
    new URL("../../../lib/routes/path_table.ts", import.meta.url),
  );
  const { mutants } = instrument("lib/routes/path_table.ts", source);
  const alike = mutants.filter(({ original, within }) =>
    original === "1" && within === "compilePaths.match"
  );
  const equivalents = loadEquivalents();
  assert.deepEqual(alike.map((mutant) => equivalents.has(mutant)), [true, false]);
  assert.deepEqual(alike.map((mutant) => asEquivalent(mutant).nth), [undefined, 2]);
  assert.deepEqual(goneEquivalents(mutants), []);
  assert.equal(goneEquivalents(mutants.slice(1)).length, 1);
});

Deno.test("instrument() leaves types, names and long tables alone", () => {
  const { code, mutants } = instrument(
    "a.ts",
    `type T = 1 | 2;\nenum E { A = 1 }\nconst o = { 3: null };\nconst table = [${
      "1,".repeat(17)
    }];`,
  );
  assert.deepEqual(mutants, []);
  assert.match(code, /type T = 1 \| 2;/);
});
