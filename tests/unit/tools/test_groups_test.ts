import assert from "node:assert/strict";
import { groupTests } from "../../../tools/test_groups.ts";

const file = (path: string, text = "") => ({ path, text });

Deno.test("groupTests() puts few slow files of a folder into a group and many quick ones, slow ones first", () => {
  const paths = (folder: string, count: number) =>
    Array.from(
      { length: count },
      (_, i) => `tests/${folder}/${String(i).padStart(2, "0")}_test.ts`,
    );
  const [faults, slow] = [paths("faults", 2), paths("integration", 8)];
  const [one, other] = [paths("unit/a", 20), paths("unit/b", 6)];
  const groups = groupTests([...one, ...other, ...slow, ...faults].map((path) => file(path)));
  assert.deepEqual([...groups], [
    ["000_tests_faults_test.ts", faults],
    ["001_tests_integration_test.ts", slow.slice(0, 6)],
    ["002_tests_integration_test.ts", slow.slice(6)],
    ["003_tests_unit_a_test.ts", [...one, ...other.slice(0, 4)]],
    ["004_tests_unit_b_test.ts", other.slice(4)],
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
