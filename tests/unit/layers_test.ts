import assert from "node:assert/strict";
import { join } from "node:path";
import {
  importCycles,
  layerProblems,
  LAYERS,
  libFolder,
  PURE_FOLDERS,
  readEdges,
  ROOT,
  sourceFiles,
} from "../support/module_graph.ts";

/**
 * `node:buffer` is a data type, no way to the outside: mmdb-lib takes its file as a `Buffer`, also
 * one that views shared memory.
 */
const PURE_NODE_MODULES = ["node:buffer"];

/** What would let a pure module depend on anything but its arguments. */
const IMPURE = [
  /\bDeno\./,
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bperformance\.now\b/,
  /\bMath\.random\b/,
  /\bgetRandomValues\b/,
  /\brandomUUID\b/,
  /\bset(Timeout|Interval)\b/,
  /\bqueueMicrotask\b/,
  /\bprocess\./,
  /\bconsole\./,
  /\bfetch\(/,
];

const files = await sourceFiles("lib");
const edges = await readEdges(files);

Deno.test("every folder of lib imports lower layers only, through their mod.ts", () => {
  assert.ok(edges.length > 0);
  assert.deepEqual(layerProblems(edges), []);
});

Deno.test("every folder of lib has a rank, and ARCHITECTURE.md shows which", async () => {
  const folders = new Set(files.map(libFolder).filter((folder) => folder !== undefined));
  assert.deepEqual(LAYERS.flat().sort(), [...folders].sort());
  const text = await Deno.readTextFile(join(ROOT, "ARCHITECTURE.md"));
  const shown = [...text.matchAll(/^\| (\d+) +\| (.*) \|$/gm)].map(([, rank, cell = ""]) => [
    Number(rank),
    [...cell.matchAll(/`([a-z0-9_/]+)`/g)].map(([, folder]) => folder).sort(),
  ]);
  assert.deepEqual(shown, LAYERS.map((layer, rank) => [rank, [...layer].sort()]));
});

Deno.test("no folder of lib has files that import each other in a ring", () => {
  assert.deepEqual(importCycles(edges), []);
});

Deno.test("every folder of lib has a mod.ts", () => {
  const folders = new Set(files.map(libFolder).filter((folder) => folder !== undefined));
  const missing = [...folders].filter((folder) => !files.includes(`lib/${folder}/mod.ts`));
  assert.deepEqual(missing, []);
});

Deno.test("the four lowest layers import no node: module but Buffer, nor another runtime's modules", () => {
  const found = edges
    .filter(({ from }) => PURE_FOLDERS.includes(libFolder(from) ?? ""))
    .filter(({ to }) => /^(node|https?|data|blob):/.test(to))
    .filter(({ to }) => !PURE_NODE_MODULES.includes(to));
  assert.deepEqual(found, []);
});

Deno.test("the four lowest layers use no clock, randomness, timer or runtime API", async () => {
  const found: string[] = [];
  for (const file of files) {
    if (!PURE_FOLDERS.includes(libFolder(file) ?? "")) continue;
    const code = withoutComments(await Deno.readTextFile(join(ROOT, file)));
    for (const pattern of IMPURE) {
      if (pattern.test(code)) found.push(`${file}: ${pattern.source}`);
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("the contract between the planes is types alone", async () => {
  const found: string[] = [];
  for (const file of files.filter((file) => libFolder(file) === "plane")) {
    const code = withoutComments(await Deno.readTextFile(join(ROOT, file)));
    const values = /^(import(?! type)|export(?! (type|interface))|const|let|function|class)\b.*/gm;
    found.push(...(code.match(values) ?? []).map((line) => `${file}: ${line}`));
  }
  assert.deepEqual(found, []);
});

Deno.test("layerProblems() finds each kind of violation", () => {
  const problem = (from: string, to: string) => layerProblems([{ from, to }]).length === 1;
  assert.ok(problem("lib/sni/mod.ts", "lib/proxyproto/mod.ts"), "a sibling");
  assert.ok(problem("lib/sni/mod.ts", "lib/server/mod.ts"), "a higher layer");
  assert.ok(problem("lib/server/a.ts", "lib/sni/_b.ts"), "a private file");
  assert.ok(problem("lib/unheard_of/mod.ts", "lib/addr/mod.ts"), "an unranked folder");
  assert.ok(problem("lib/cli/mod.ts", "main.ts"), "the entry point");
  assert.ok(problem("lib/cli/mod.ts", "dev/certificates.ts"), "development code");
  assert.ok(!problem("lib/server/a.ts", "lib/sni/mod.ts"));
  assert.ok(!problem("lib/server/a.ts", "lib/server/b.ts"));
  assert.ok(!problem("lib/server/a.ts", "node:net"));
  assert.ok(!problem("lib/config/a.ts", "npm:smol-toml@1.9.1"));
});

Deno.test("importCycles() finds a ring of three and ignores a diamond", () => {
  const edge = (from: string, to: string) => ({ from: `lib/x/${from}.ts`, to: `lib/x/${to}.ts` });
  assert.deepEqual(importCycles([edge("a", "b"), edge("b", "c"), edge("c", "a")]), [
    "lib/x/a.ts → lib/x/b.ts → lib/x/c.ts → lib/x/a.ts",
  ]);
  const diamond = [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")];
  assert.deepEqual(importCycles(diamond), []);
});

/** Comments may name what the code must not use. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
}
