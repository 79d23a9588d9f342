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

const failure = (name: string, file: string, module = file) => ({ name, file, module });
const A = failure("closes", "./tests/a_test.ts");
const B = failure("./tests/b_test.ts (uncaught error)", "./tests/b_test.ts");
const C = failure("opens", "./tests/c_test.ts");

Deno.test("readFailures() reads the list at the end, with colours and without", () => {
  const inner = failure("reads => late ... inner", "./tests/a_test.ts");
  assert.deepEqual(readFailures(OUTPUT), [inner, A, B]);
  assert.deepEqual(readFailures("ok | 12 passed | 0 failed (1s)\n"), []);
});

Deno.test("readFailures() finds the module that runs a test, wherever it is registered", () => {
  const output = `./tests/b_test.ts => opens ... ok (5ms)
../tmp/001_test.ts => reads => late ... inner ... FAILED (1s)
../tmp/001_test.ts => reads => late ... FAILED (due to 1 failed step) (1s)
./tests/c_test.ts => closes ... FAILED (1s)
${OUTPUT.replace("./tests/a_test.ts:9:6", "./tests/support/a.ts:9:6")}`;
  assert.deepEqual(readFailures(output), [
    failure("reads => late ... inner", "./tests/a_test.ts", "../tmp/001_test.ts"),
    failure("closes", "./tests/support/a.ts", "./tests/c_test.ts"),
    B,
  ]);
});

Deno.test("passAlone() runs each file five times", async () => {
  const ran: string[] = [];
  const run = (file: string) => {
    ran.push(file);
    return Promise.resolve(true);
  };
  assert.equal(await passAlone([A, A, B], run), true);
  assert.deepEqual(ran, [...Array(5).fill(A.file), ...Array(5).fill(B.file)]);
});

Deno.test("passAlone() believes no file that fails once", async () => {
  for (let failing = 0; failing < 5; failing++) {
    let count = 0;
    assert.equal(await passAlone([A], () => Promise.resolve(count++ !== failing)), false);
    assert.equal(count, failing + 1);
  }
});

Deno.test("passAlone() runs nothing when nothing is known, or when too much failed", async () => {
  const run = () => assert.fail("ran");
  assert.equal(await passAlone([], run), false);
  assert.equal(await passAlone([A, B, C], run), false);
});
