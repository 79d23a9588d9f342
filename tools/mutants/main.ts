/**
 * Breaks the pure ranks of `lib` in small ways, one at a time, and counts how many of the breaks
 * the tests notice: `deno task mutants [--sample N] [--seed N] [--list FILE] [FOLDER | FOLDER/FILE.ts …]`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { libFolder } from "../../tests/support/module_graph.ts";
import { createRandom } from "../../tests/support/fuzz.ts";
import type { Mutant } from "./instrument.ts";
import { asEquivalent, goneEquivalents, loadEquivalents } from "./equivalents.ts";
import {
  type Fate,
  runMutants,
  runStaticMutant,
  stepLimits,
  type Survey,
  type SurveyedBench,
  surveyTests,
} from "./run.ts";
import { createMutantTree, type MutantTree } from "./tree.ts";
import type { Assignment } from "./work.ts";

/** Those that parse what strangers send, or decide about them, and whose tests bite. */
const MEASURED_FOLDERS = [
  "addr",
  "wire",
  "http",
  "sni",
  "proxyproto",
  "firewall",
  "routes",
  "h1",
  "h2",
  "upstream",
  "balance",
  "dns",
  "tsig",
];
/** What the tests have to notice, in hundredths of the mutants that are not equivalent. */
const WANTED_SCORE = 90;
/**
 * The same for a sample of all folders. They have 95 % together; 82 % of a sample of 200 is eight
 * standard deviations below that, and nearly four below the 90 % at which a folder fails by itself: no
 * date fails by luck, and tests that went missing are noticed.
 */
const WANTED_OF_SAMPLE = 82;
/** Processes at a time. */
const PROCESSES = Math.max(1, Math.min(navigator.hardwareConcurrency, 4));
/** Mutants of one process: many share its start, few are lost to one that hangs. */
const BATCH = 100;
/**
 * Tests that take longer without a mutant are left out, in milliseconds of processor time: there are
 * thousands of mutants, and what only a long run of random input notices has no guard of its own.
 */
const SLOW_TEST_MS = 100;

/** What a run found in one folder. */
interface Score {
  noticed: number;
  equivalent: number;
  readonly survivors: Mutant[];
}

/**
 * Runs the tests against mutants. Exit code 1: a folder is below {@link WANTED_SCORE}, or a sample
 * of all folders clearly is.
 */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { sample: { type: "string" }, seed: { type: "string" }, list: { type: "string" } },
  });
  const named = positionals.length > 0 ? positionals : MEASURED_FOLDERS;
  const folders = [...new Set(named.map((name) => name.replace(/\/[^/]*\.ts$/, "")))];
  const base = await Deno.makeTempDir({ prefix: "mutants-" });
  try {
    const tree = await createMutantTree(base, folders);
    const seed = Number(values.seed ?? Date.now() % 1_000_000);
    const wanted = tree.mutants.filter(({ file }) =>
      named.some((name) => `${file}/`.startsWith(`lib/${name}/`))
    );
    const chosen = values.sample === undefined
      ? wanted
      : sample(wanted, Number(values.sample), seed);
    print(`${chosen.length} of ${wanted.length} mutants, seed ${seed}`);
    const fates = await fatesOf(tree, chosen);
    const scores = report(chosen, fates, folders);
    if (values.list !== undefined) await writeList(values.list, scores);
    for (const { file, within, original } of goneEquivalents(tree.mutants)) {
      print(`  named as equivalent, but not there any more: ${file}, ${within}: ${original}`);
    }
    return values.sample === undefined
      ? Number(scores.some((score) => percentOf(score) < WANTED_SCORE))
      : Number(percentOf(total(scores)) < WANTED_OF_SAMPLE);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** Draws without putting back, the same for the same seed. */
function sample(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const random = createRandom(seed);
  const left = [...mutants];
  const drawn: Mutant[] = [];
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(random.below(left.length), 1));
  }
  return drawn;
}

/** What is known of the tests of one folder. */
interface Surveyed extends SurveyedBench, Survey {}

async function fatesOf(
  tree: MutantTree,
  mutants: readonly Mutant[],
): Promise<Map<number, Fate>> {
  const byFolder = Map.groupBy(mutants, ({ file }) => libFolder(file) ?? "");
  const surveyed = new Map<string, Surveyed>();
  await inParallel([...byFolder.keys()].map((folder) => async () => {
    const bench = { root: tree.root, testFiles: tree.testsOf(folder) };
    const { tests, onLoad } = await surveyTests(bench, tree.mutants.length);
    surveyed.set(folder, {
      ...bench,
      limits: stepLimits(tests),
      tests: tests.filter(({ cost }) => cost <= SLOW_TEST_MS),
      onLoad,
    });
  }));
  const fates = new Map<number, Fate>();
  await inParallel([...byFolder].flatMap(([folder, ofFolder]) => {
    const bench = surveyed.get(folder);
    return bench === undefined ? [] : jobsFor(bench, ofFolder, fates);
  }));
  return fates;
}

/** Many to a process; those that are passed on load, and in no test or unnoticed, one by one. */
function jobsFor(
  bench: Surveyed,
  mutants: readonly Mutant[],
  fates: Map<number, Fate>,
): (() => Promise<void>)[] {
  const quickFirst = bench.tests.toSorted((a, b) => a.cost - b.cost);
  const testsOf = new Map<number, number[]>();
  for (const { test, passes } of quickFirst) {
    for (const id of passes) testsOf.getOrInsert(id, []).push(test);
  }
  const all = quickFirst.map(({ test }) => test);
  const settle = async (id: number, fate: Fate) => {
    const again = fate.kind === "survived" && bench.onLoad.has(id);
    fates.set(id, again ? await runStaticMutant(bench, { id, tests: all }) : fate);
  };
  const jobs: (() => Promise<void>)[] = [];
  const alone: (() => Promise<void>)[] = [];
  const orders: Assignment[] = [];
  for (const { id } of mutants) {
    const tests = testsOf.get(id);
    if (tests === undefined) alone.push(() => settle(id, { kind: "survived" }));
    else orders.push({ id, tests });
  }
  for (let at = 0; at < orders.length; at += BATCH) {
    const batch = orders.slice(at, at + BATCH);
    jobs.push(async () => {
      for (const [id, fate] of await runMutants(bench, batch)) await settle(id, fate);
      print(`  ${fates.size} tried`);
    });
  }
  return [...jobs, ...alone];
}

async function inParallel(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const waiting = [...jobs];
  await Promise.all(Array.from({ length: PROCESSES }, async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await job();
  }));
}

function report(
  mutants: readonly Mutant[],
  fates: ReadonlyMap<number, Fate>,
  folders: readonly string[],
): Score[] {
  const equivalents = loadEquivalents();
  const scores = new Map<string, Score>(
    folders.map((folder) => [folder, { noticed: 0, equivalent: 0, survivors: [] }]),
  );
  for (const mutant of mutants) {
    const score = scores.get(libFolder(mutant.file) ?? "");
    if (score === undefined) continue;
    if (fates.get(mutant.id)?.kind !== "survived") score.noticed++;
    else if (equivalents.has(mutant)) score.equivalent++;
    else score.survivors.push(mutant);
  }
  for (const [folder, score] of scores) print(summary(folder, score));
  for (const mutant of mutants) {
    const fate = fates.get(mutant.id);
    if (fate?.kind !== "killed" || !equivalents.has(mutant)) continue;
    print(`  named as equivalent, but noticed by "${fate.test}":\n  ${describe(mutant)}`);
  }
  for (const { survivors } of scores.values()) survivors.map(describe).forEach(print);
  return [...scores.values()];
}

/** Writes what survived as entries of the list of equivalents, to which a reason can be added. */
async function writeList(file: string, scores: readonly Score[]): Promise<void> {
  const entries = scores.flatMap(({ survivors }) => survivors.map(asEquivalent));
  await Deno.writeTextFile(file, `${JSON.stringify(entries, undefined, 2)}\n`);
}

function total(scores: readonly Score[]): Score {
  return {
    noticed: scores.reduce((sum, { noticed }) => sum + noticed, 0),
    equivalent: scores.reduce((sum, { equivalent }) => sum + equivalent, 0),
    survivors: scores.flatMap(({ survivors }) => survivors),
  };
}

function percentOf({ noticed, survivors }: Score): number {
  const all = noticed + survivors.length;
  return all === 0 ? 100 : 100 * noticed / all;
}

function summary(folder: string, score: Score): string {
  const { noticed, survivors: { length }, equivalent } = score;
  return `${folder}: ${percentOf(score).toFixed(1)} % of ${noticed + length} noticed, ` +
    `${length} survived, ${equivalent} equivalent`;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function describe({ file, line, kind, original, replacement }: Mutant): string {
  const cut = (text: string) => text.length > 90 ? `${text.slice(0, 89)}…` : text;
  return `  ${file}:${line} ${kind}: ${cut(original)}  →  ${cut(replacement)}`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
