/**
 * What failed among thousands of tests on a busy machine, once more by itself. A test that passes
 * each time then does not fail the run, but it is named at the end: it is to be mended.
 *
 * @module
 */

/** More failing files than this are no accident. */
const MAX_FILES = 2;

/** How often each has to pass. */
const TIMES = 5;

/** A test, or a file, that failed: as `deno test` lists it, and its file. */
export interface Failure {
  readonly name: string;
  readonly file: string;
}

/** The list of failures that `deno test` ends its output with. */
export function readFailures(output: string): Failure[] {
  // deno-lint-ignore no-control-regex
  const plain = output.replaceAll(/\x1b\[[\d;]*m/g, "");
  const at = plain.lastIndexOf("\n FAILURES \n");
  if (at < 0) return [];
  const failures: Failure[] = [];
  for (const line of plain.slice(at).split("\n")) {
    const [, name, file] = /^(.*) => (\S+):\d+:\d+$/.exec(line) ??
      /^((\S+) \(uncaught error\))$/.exec(line) ?? [];
    if (name !== undefined && file !== undefined) failures.push({ name, file });
  }
  return failures;
}

/**
 * Whether all files of these failures pass, each several times by itself. `run` runs the tests of
 * one file and answers the exit code.
 */
export async function passAlone(
  failures: readonly Failure[],
  run: (file: string) => Promise<number>,
): Promise<boolean> {
  const files = new Set(failures.map(({ file }) => file));
  if (files.size === 0 || files.size > MAX_FILES) return false;
  for (const file of files) {
    for (let i = 0; i < TIMES; i++) if (await run(file) !== 0) return false;
  }
  return true;
}
