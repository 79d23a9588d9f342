/**
 * Runs every test and lists the slowest, several files in one isolate (see `test_groups.ts`), with the
 * programs bundled once for all (see `tests/support/program.ts`). The soak comes last and by itself, because it measures memory, and it comes whatever the others said: a
 * failure elsewhere is no reason not to know. What fails among the others is tried by itself (see
 * `rerun.ts`), and named at the end.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUNDLES_VARIABLE } from "../tests/support/program.ts";
import { BUNDLED_PROGRAMS, makeBundle } from "./bundle.ts";
import { type Failure, passAlone } from "./rerun.ts";
import { printLines, printSlowest, runTimed, type TimedTest } from "./slowest.ts";
import { writeGroups } from "./test_groups.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const SOAK = "tests/soak";

const groups = await Deno.makeTempDir({ prefix: "mc-proxy-tests-" });
const bundles = await Deno.makeTempDir({ prefix: "mc-proxy-tests-" });
let exitCode = 0;
const timed: TimedTest[] = [];
const shaky: Failure[] = [];
try {
  await Promise.all([
    writeGroups(ROOT, { under: "tests", except: SOAK, to: groups }),
    ...BUNDLED_PROGRAMS.map((program) => makeBundle(program, join(bundles, `${program}.js`))),
  ]);
  for (
    const [args, env] of [[["--parallel", groups], { [BUNDLES_VARIABLE]: bundles }], [
      [SOAK],
      {},
    ]] as const
  ) {
    const { code, tests, failures } = await runTimed(args, env);
    timed.push(...tests);
    if (code === 0) continue;
    const passes = async (module: string) => {
      const { code, tests } = await runTimed([module], env);
      return code === 0 && tests.length > 0;
    };
    if (await passAlone(failures, passes)) shaky.push(...failures);
    else if (exitCode === 0) exitCode = code;
  }
} finally {
  await Deno.remove(groups, { recursive: true });
  await Deno.remove(bundles, { recursive: true });
}
printSlowest(timed);
printLines(
  shaky.map(({ name, file }) => `failed, and passed by itself; mend it: ${file}: ${name}`),
);
Deno.exit(exitCode);
