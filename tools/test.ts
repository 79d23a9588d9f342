/**
 * Runs every test and lists the slowest. The soak comes last and by itself, because it measures
 * memory, and it comes whatever the others said: a failure elsewhere is no reason not to know.
 * What fails among the others is tried by itself (see `rerun.ts`), and named at the end.
 *
 * @module
 */
import { type Failure, passAlone } from "./rerun.ts";
import { printLines, printSlowest, runTimed, type TimedTest } from "./slowest.ts";

const RUNS: readonly (readonly string[])[] = [
  ["--parallel", "--ignore=tests/soak", "tests"],
  ["tests/soak"],
];

let exitCode = 0;
const timed: TimedTest[] = [];
const shaky: Failure[] = [];
for (const args of RUNS) {
  const { code, tests, failures } = await runTimed(args);
  timed.push(...tests);
  if (code === 0) continue;
  if (await passAlone(failures, async (file) => (await runTimed([file])).code)) {
    shaky.push(...failures);
  } else if (exitCode === 0) exitCode = code;
}
printSlowest(timed);
printLines(
  shaky.map(({ name, file }) => `failed, and passed by itself; mend it: ${file}: ${name}`),
);
Deno.exit(exitCode);
