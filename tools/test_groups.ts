/**
 * Test files that run one after the other in one isolate. `deno test` gives each file an isolate of its
 * own, which loads and compiles all that it imports once more, without the code cache that programs
 * have: a third of a second for each of some five hundred files.
 *
 * @module
 */
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/** Files of a group where a whole folder would be one that others wait for at the end. */
const FILES_IN_ONE = 4;

/** Folders in which each folder is a group: its tests are quick, and import the same. */
const QUICK = "tests/unit";

/**
 * A file with one of these is a group by itself: what its tests leave going on, or find in the heap,
 * would be taken for that of the next file, or of the one before.
 */
const BY_ITSELF = /\bsanitize(?:Ops|Resources): false\b|\b(?:memory|cpu)Usage\(/;

/** A test file, with its text. */
export interface TestFile {
  /** From the root. */
  readonly path: string;
  readonly text: string;
}

/** The files of each group, by the group's name; the slow come first, as the last ones are waited for. */
export function groupTests(files: readonly TestFile[]): Map<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  const folders = Map.groupBy(files, ({ path }) => path.slice(0, path.lastIndexOf("/")));
  const slowFirst = [...folders].toSorted(([a], [b]) =>
    Number(a.startsWith(QUICK)) - Number(b.startsWith(QUICK)) || (a < b ? -1 : 1)
  );
  for (const [folder, members] of slowFirst) {
    const size = folder.startsWith(QUICK) ? Infinity : FILES_IN_ONE;
    let open: string[] | undefined;
    for (const { path, text } of members) {
      const isAlone = BY_ITSELF.test(text);
      if (isAlone || open === undefined || open.length >= size) {
        const members: string[] = [];
        groups.set(nameOf(groups.size, folder), members);
        if (isAlone) {
          members.push(path);
          continue;
        }
        open = members;
      }
      open.push(path);
    }
  }
  return groups;
}

/** `deno test` runs files in the order of their names. */
function nameOf(index: number, folder: string): string {
  return `${String(index).padStart(3, "0")}_${folder.replaceAll("/", "_")}_test.ts`;
}

/** Writes a module for each group of the tests below a folder of the root, which imports its files. */
export async function writeGroups(
  root: string,
  { under, except, to }: { readonly under: string; readonly except: string; readonly to: string },
): Promise<void> {
  const files: TestFile[] = [];
  for await (const path of testFiles(join(root, under))) {
    const file = relative(root, path);
    if (file.startsWith(except)) continue;
    files.push({ path: file, text: await Deno.readTextFile(path) });
  }
  files.sort((a, b) => a.path < b.path ? -1 : 1);
  for (const [name, members] of groupTests(files)) {
    const lines = members.map((path) => `import "${pathToFileURL(join(root, path))}";\n`);
    await Deno.writeTextFile(join(to, name), lines.join(""));
  }
}

async function* testFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* testFiles(path);
    else if (isFile && name.endsWith("_test.ts")) yield path;
  }
}
