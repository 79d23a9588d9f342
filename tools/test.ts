/**
 * Runs every test. The soak comes last and by itself, because it measures memory, and it comes whatever
 * the others said: a failure elsewhere is no reason not to know.
 *
 * @module
 */
const COMMON = ["test", "--no-check", "--no-prompt", "-A"];

const RUNS: readonly (readonly string[])[] = [
  [...COMMON, "--parallel", "--ignore=tests/soak", "tests"],
  [...COMMON, "tests/soak"],
];

let exitCode = 0;
for (const args of RUNS) {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args] }).spawn().status;
  if (exitCode === 0) exitCode = code;
}
Deno.exit(exitCode);
