import assert from "node:assert/strict";
import { passAlone, readFailures } from "../../../tools/rerun.ts";

const OUTPUT = `
 ERRORS 

reads => late => ./tests/a_test.ts:2:45
error: Error: no

 FAILURES 

reads => late ... inner => ./tests/a_test.ts:2:45
\x1b[1mcloses\x1b[0m => ./tests/a_test.ts:9:6
./tests/b_test.ts (uncaught error)

FAILED | 2 passed | 3 failed (1 step) (698ms)
`;

const A = { name: "closes", file: "./tests/a_test.ts" };
const B = { name: "./tests/b_test.ts (uncaught error)", file: "./tests/b_test.ts" };
const C = { name: "opens", file: "./tests/c_test.ts" };

Deno.test("readFailures() reads the list at the end, with colours and without", () => {
  const inner = { name: "reads => late ... inner", file: "./tests/a_test.ts" };
  assert.deepEqual(readFailures(OUTPUT), [inner, A, B]);
  assert.deepEqual(readFailures("ok | 12 passed | 0 failed (1s)\n"), []);
});

Deno.test("passAlone() runs each file five times", async () => {
  const ran: string[] = [];
  const run = (file: string) => {
    ran.push(file);
    return Promise.resolve(0);
  };
  assert.equal(await passAlone([A, A, B], run), true);
  assert.deepEqual(ran, [...Array(5).fill(A.file), ...Array(5).fill(B.file)]);
});

Deno.test("passAlone() believes no file that fails once", async () => {
  for (let failing = 0; failing < 5; failing++) {
    let count = 0;
    assert.equal(await passAlone([A], () => Promise.resolve(count++ === failing ? 1 : 0)), false);
    assert.equal(count, failing + 1);
  }
});

Deno.test("passAlone() runs nothing when nothing is known, or when too much failed", async () => {
  const run = () => assert.fail("ran");
  assert.equal(await passAlone([], run), false);
  assert.equal(await passAlone([A, B, C], run), false);
});
