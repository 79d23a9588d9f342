/**
 * Runs every test and lists the slowest. The soak comes last and by itself, because it measures
 * memory, and it comes whatever the others said: a failure elsewhere is no reason not to know.
 *
 * @module
 */
import { printSlowest, runTimed, type TimedTest } from "./slowest.ts";

const RUNS: readonly (readonly string[])[] = [
  ["--parallel", "--ignore=tests/soak", "tests"],
  ["tests/soak"],
];

let exitCode = 0;
const timed: TimedTest[] = [];
for (const args of RUNS) {
  const { code, tests } = await runTimed(args);
  if (exitCode === 0) exitCode = code;
  timed.push(...tests);
}
printSlowest(timed);
Deno.exit(exitCode);
