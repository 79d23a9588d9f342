/**
 * Test files that run one after the other in one isolate. `deno test` gives each file an isolate of its
 * own, which loads and compiles all that it imports once more, without the code cache that programs
 * have: a third of a second for each of some five hundred files.
 *
 * @module
 */
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/** Files of a group of slow ones: a whole folder would be one that others wait for at the end. */
const SLOW_IN_ONE = 6;

/** Below it are quick tests, which come last and fill what is left. */
const QUICK = "tests/unit";
/** Files after which a group of quick ones, of one folder or of several, is full. */
const QUICK_IN_ONE = 24;

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
  const isQuick = ({ path }: TestFile) => path.startsWith(QUICK);
  const inOrder = files.toSorted((a, b) =>
    Number(isQuick(a)) - Number(isQuick(b)) || (a.path < b.path ? -1 : 1)
  );
  const groups = new Map<string, string[]>();
  const begin = (path: string) => {
    const members = [path];
    groups.set(nameOf(groups.size, folderOf(path)), members);
    return members;
  };
  let open: string[] | undefined;
  for (const file of inOrder) {
    const { path, text } = file;
    if (BY_ITSELF.test(text)) begin(path);
    else if (open !== undefined && hasRoom(open, file)) open.push(path);
    else open = begin(path);
  }
  return groups;
}

/** Whether a file may be one more of a group: quick ones of all folders, slow ones of their own. */
function hasRoom(group: readonly string[], { path }: TestFile): boolean {
  const [first = ""] = group;
  if (first.startsWith(QUICK)) return group.length < QUICK_IN_ONE;
  return group.length < SLOW_IN_ONE && folderOf(first) === folderOf(path);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
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
