import assert from "node:assert/strict";
import { groupTests } from "../../../tools/test_groups.ts";

const file = (path: string, text = "") => ({ path, text });

Deno.test("groupTests() puts few slow files into a group and all quick ones of a folder, slow ones first", () => {
  const quick = Array.from({ length: 6 }, (_, i) => file(`tests/unit/a/${i}_test.ts`));
  const slow = Array.from({ length: 6 }, (_, i) => file(`tests/integration/${i}_test.ts`));
  const groups = groupTests([...quick, file("tests/unit/b_test.ts"), ...slow]);
  assert.deepEqual([...groups], [
    ["000_tests_integration_test.ts", slow.slice(0, 4).map(({ path }) => path)],
    ["001_tests_integration_test.ts", slow.slice(4).map(({ path }) => path)],
    ["002_tests_unit_test.ts", ["tests/unit/b_test.ts"]],
    ["003_tests_unit_a_test.ts", quick.map(({ path }) => path)],
  ]);
});

Deno.test("groupTests() leaves a file by itself whose tests leave something, or look at the heap", () => {
  const files = [
    file("tests/unit/a_test.ts"),
    file("tests/unit/b_test.ts", "  sanitizeOps: false,"),
    file("tests/unit/c_test.ts", "process.memoryUsage()"),
    file("tests/unit/d_test.ts"),
  ];
  assert.deepEqual([...groupTests(files).values()], [
    ["tests/unit/a_test.ts", "tests/unit/d_test.ts"],
    ["tests/unit/b_test.ts"],
    ["tests/unit/c_test.ts"],
  ]);
});
