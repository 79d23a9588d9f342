import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  libFolder,
  rankOf,
  readEdges,
  ROOT,
  sourceFiles,
} from "../../tests/support/module_graph.ts";
import { instrument, type Mutant } from "./instrument.ts";

/** What the tests of the pure ranks need of the tree. */
const COPIED = ["lib", "tests", "dev", "deploy", "proto", "deno.json", "deno.lock"];

/** A copy of the tree with every mutant of some folders written into it. */
export interface MutantTree {
  readonly root: string;
  readonly mutants: readonly Mutant[];
  /** The addresses of the tests that import a folder of `lib` and nothing above it. */
  testsOf(folder: string): readonly string[];
}

/**
 * Copies the tree and writes the mutants of `folders` of lib into the copy.
 *
 * @param base an empty folder that becomes the copy's parent.
 */
export async function createMutantTree(
  base: string,
  folders: readonly string[],
): Promise<MutantTree> {
  const root = join(base, "tree");
  await Deno.mkdir(root);
  for (const name of COPIED) await copy(join(ROOT, name), join(root, name));
  // Vectors of others are found beside the checkout.
  await Deno.symlink(join(ROOT, "../shared"), join(base, "shared"));
  const mutants: Mutant[] = [];
  for (const folder of folders) {
    for (const file of await sourceFiles(`lib/${folder}`)) {
      const source = await Deno.readTextFile(join(ROOT, file));
      const found = instrument(file, source, { firstId: mutants.length });
      mutants.push(...found.mutants);
      await Deno.writeTextFile(join(root, file), found.code);
    }
  }
  const reaching = await testsByFolder();
  return {
    root,
    mutants,
    testsOf: (folder) => reaching(folder).map((test) => pathToFileURL(join(root, test)).href),
  };
}

/** For each folder of lib its unit tests, and what else imports it and nothing above it. */
async function testsByFolder(): Promise<(folder: string) => string[]> {
  const tests = [...await sourceFiles("tests/unit"), ...await sourceFiles("tests/fuzz")];
  const edges = await readEdges(tests.filter((file) => file.endsWith("_test.ts")));
  const byTest = Map.groupBy(edges, ({ from }) => from);
  return (folder) =>
    [...byTest].flatMap(([test, imports]) => {
      const folders = imports.map(({ to }) => libFolder(to)).filter((it) => it !== undefined);
      const highest = Math.max(...folders.map(rankOf));
      const isOwn = test.startsWith(`tests/unit/${folder}/`);
      return isOwn || folders.includes(folder) && highest === rankOf(folder) ? [test] : [];
    });
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}
