/**
 * What failed among thousands of tests on a busy machine, once more by itself. A test that passes
 * each time then does not fail the run, but it is named at the end: it is to be mended.
 *
 * @module
 */

/** More failing modules than this are no accident. */
const MAX_MODULES = 2;

/** How often each has to pass. */
const TIMES = 5;

/** A test, or a module, that failed. */
export interface Failure {
  readonly name: string;
  /** Where the test is registered, which may be in a fixture. */
  readonly file: string;
  /** What `deno test` was given, and runs the test. */
  readonly module: string;
}

/** The list of failures that `deno test` ends its output with. */
export function readFailures(output: string): Failure[] {
  // deno-lint-ignore no-control-regex
  const plain = output.replaceAll(/\x1b\[[\d;]*m/g, "");
  const at = plain.lastIndexOf("\n FAILURES \n");
  if (at < 0) return [];
  const modules = failedModules(plain.slice(0, at));
  const failures: Failure[] = [];
  for (const line of plain.slice(at).split("\n")) {
    const [, whole] = /^(\S+) \(uncaught error\)$/.exec(line) ?? [];
    if (whole !== undefined) failures.push({ name: line, file: whole, module: whole });
    const [, name = "", file] = /^(.*) => (\S+):\d+:\d+$/.exec(line) ?? [];
    if (file === undefined) continue;
    const [test = ""] = name.split(" ... ");
    for (const module of modules.get(test) ?? [file]) failures.push({ name, file, module });
  }
  return failures;
}

/** By the name of each test that failed beside others: the modules of whose tests it is one. */
function failedModules(output: string): ReadonlyMap<string, ReadonlySet<string>> {
  const modules = new Map<string, Set<string>>();
  for (
    const [, module = "", name = ""] of output.matchAll(/^(\S+) => (.+?) \.\.\. .*FAILED \(/gm)
  ) {
    const found = modules.get(name) ?? new Set();
    modules.set(name, found.add(module));
  }
  return modules;
}

/**
 * Whether all modules of these failures pass, each several times by itself. `run` runs the tests of
 * one and answers whether there were any, and all passed.
 */
export async function passAlone(
  failures: readonly Failure[],
  run: (module: string) => Promise<boolean>,
): Promise<boolean> {
  const modules = new Set(failures.map(({ module }) => module));
  if (modules.size === 0 || modules.size > MAX_MODULES) return false;
  for (const module of modules) {
    for (let i = 0; i < TIMES; i++) if (!await run(module)) return false;
  }
  return true;
}
