import assert from "node:assert/strict";
import { join } from "node:path";
import { ATTACKS, ATTACKS_ON } from "../support/attacks/mod.ts";
import { ROOT, sourceFiles } from "../support/module_graph.ts";

/** The last column of each row of the table in SECURITY.md. */
async function testsOfRows(): Promise<string[]> {
  const text = await Deno.readTextFile(join(ROOT, "SECURITY.md"));
  const rows = text.split("\n").filter((line) => line.startsWith("| "));
  const tests = rows.slice(2).map((row) => row.split("|").at(-2) ?? "");
  assert.ok(tests.length >= 50, `${tests.length} rows`);
  return tests;
}

function attacksOf(tests: readonly string[]): string[] {
  return tests.flatMap((test) =>
    [...test.matchAll(/soak: \*([^*]+)\*/g)].map(([, name = ""]) => name)
  );
}

Deno.test("every row of SECURITY.md's table names tests, and all of them exist", async () => {
  const files = new Set(await sourceFiles("tests"));
  for (const tests of await testsOfRows()) {
    const names = [...tests.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    assert.ok(names.length + attacksOf([tests]).length > 0, `no test: ${tests}`);
    for (const name of names) {
      const path = name.includes("/") ? `tests/${name}.ts` : `tests/integration/${name}.ts`;
      assert.ok(files.has(path), `there is no ${path}`);
    }
  }
});

Deno.test("every attack of the soak is in SECURITY.md's table, and the other way round", async () => {
  const told = new Set(attacksOf(await testsOfRows()));
  assert.deepEqual([...told].sort(), Object.keys(ATTACKS).sort());
});

Deno.test("every attack is made somewhere", () => {
  const made = new Set(Object.values(ATTACKS_ON).flat());
  assert.deepEqual([...made].sort(), Object.keys(ATTACKS).sort());
});
