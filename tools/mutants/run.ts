import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Answer, Assignment, StepLimits, Work } from "./work.ts";

/**
 * A test that computes longer than this hangs, in milliseconds of processor time: a busy machine
 * makes the clock useless. Many times what the slowest test that is run against mutants takes; only
 * a loop that passes no place of a mutant is ended by it.
 */
const HANGS_AFTER_CPU_MS = 2000;
/** A test that waits longer than this hangs, in milliseconds. */
const HANGS_AFTER_MS = 30_000;
/** Before the first answer, and without a mutant, nothing is expected to hang. */
const PATIENCE_FACTOR = 30;
/** How often a runner is looked at, in milliseconds. */
const LOOK_MS = 200;
/** What /proc counts processor time in (`getconf CLK_TCK`). */
const MS_PER_TICK = 10;
const RUNNER = fileURLToPath(new URL("runner.ts", import.meta.url));

/** What became of a mutant: the test that failed, that a test hung, or that none noticed. */
export type Fate =
  | { readonly kind: "killed"; readonly test: string }
  | { readonly kind: "hung" | "survived" };

/** A tree with mutants, and the tests of one folder of it. */
export interface Bench {
  /** Where the tree stands; work orders are written there. */
  readonly root: string;
  readonly testFiles: readonly string[];
}

/** A bench whose tests are known. */
export interface SurveyedBench extends Bench {
  readonly limits: StepLimits;
}

/** How many times as many places as without a mutant a test may pass, and how many more. */
const STEPS_FACTOR = 20;
const MORE_STEPS = 100_000;

/** What the tests may do with a mutant, by what they do without. */
export function stepLimits(tests: readonly SurveyedTest[]): StepLimits {
  const limits: number[] = [];
  for (const { test, steps } of tests) limits[test] = steps * STEPS_FACTOR + MORE_STEPS;
  return limits;
}

/** What a test does without a mutant. */
export type SurveyedTest = Extract<Answer, { readonly kind: "surveyed" }>;

/** The tests fail without a mutant, or a runner broke off: nothing can be said of mutants. */
export class MutantRunError extends Error {
  override readonly name = "MutantRunError";
  readonly code = "mutant_run";
}

/** What passes which mutant. */
export interface Survey {
  readonly tests: readonly SurveyedTest[];
  /** Mutants that are passed while the program loads: they are on too late in a test. */
  readonly onLoad: ReadonlySet<number>;
}

/**
 * Runs each test once without a mutant.
 *
 * @param mutants how many there are in the tree.
 * @throws {MutantRunError} if a test fails.
 */
export async function surveyTests(bench: Bench, mutants: number): Promise<Survey> {
  const tests: SurveyedTest[] = [];
  let onLoad: ReadonlySet<number> = new Set();
  const order: Work = { kind: "survey", testFiles: bench.testFiles, mutants };
  const finished = await drive(bench.root, order, (answer) => {
    if (answer.kind === "load_failed") throw new MutantRunError(answer.reason);
    if (answer.kind === "loaded") onLoad = new Set(answer.passes);
    if (answer.kind !== "surveyed") return;
    if (answer.failed) throw new MutantRunError(`without a mutant "${answer.name}" fails`);
    tests.push(answer);
  });
  if (!finished) {
    throw new MutantRunError(`no answer after the test "${tests.at(-1)?.name ?? "none"}"`);
  }
  return { tests, onLoad };
}

/**
 * Runs the tests against each mutant.
 *
 * @returns the fate of each, by id.
 */
export async function runMutants(
  bench: SurveyedBench,
  mutants: readonly Assignment[],
): Promise<Map<number, Fate>> {
  const fates = new Map<number, Fate>();
  let waiting = [...mutants];
  while (waiting.length > 0) {
    const before = waiting.length;
    const clean = await runOnce(bench, waiting, fates);
    if (!clean) {
      // Something of a mutant stayed: each of these gets a process of its own.
      for (const mutant of waiting) {
        fates.delete(mutant.id);
        await runOnce(bench, [mutant], fates);
      }
    }
    waiting = waiting.filter(({ id }) => !fates.has(id));
    if (waiting.length === before) throw new MutantRunError("a runner ended without an answer");
  }
  return fates;
}

/** The fate of a mutant that is passed while its module loads: a process of its own. */
export async function runStaticMutant(
  { root, testFiles, limits }: SurveyedBench,
  { id, tests }: Assignment,
): Promise<Fate> {
  const fates = new Map<number, Fate>();
  const order: Work = { kind: "static", testFiles, id, tests, limits };
  await drive(root, order, (answer) => settle(answer, fates));
  return fates.get(id) ?? { kind: "killed", test: "the program did not load" };
}

/** One process for these mutants, until it ends or hangs. Whether it left no traces. */
async function runOnce(
  { root, testFiles, limits }: SurveyedBench,
  mutants: readonly Assignment[],
  fates: Map<number, Fate>,
): Promise<boolean> {
  let current: number | undefined;
  let clean = true;
  const order: Work = { kind: "mutants", testFiles, mutants, limits };
  const finished = await drive(root, order, (answer) => {
    if (answer.kind === "load_failed") throw new MutantRunError(answer.reason);
    if (answer.kind === "afterwards" && answer.failure !== undefined) clean = mutants.length === 1;
    if (answer.kind === "started") current = answer.id;
    else if (answer.kind === "killed" || answer.kind === "survived") current = undefined;
    settle(answer, fates);
  });
  if (!finished && current !== undefined) fates.set(current, { kind: "hung" });
  return clean;
}

function settle(answer: Answer, fates: Map<number, Fate>): void {
  if (answer.kind === "killed") fates.set(answer.id, { kind: "killed", test: answer.test });
  else if (answer.kind === "survived") fates.set(answer.id, { kind: "survived" });
}

/** Runs the runner; false when it had to be ended or died in the middle of a mutant. */
async function drive(
  folder: string,
  work: Work,
  onAnswer: (answer: Answer) => void,
): Promise<boolean> {
  const order = join(folder, `work-${crypto.randomUUID()}.json`);
  await Deno.writeTextFile(order, JSON.stringify(work));
  const config = join(folder, "deno.json");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", "-A", "--config", config, RUNNER, order],
    cwd: folder,
    // The same for every mutant: by chance none is killed.
    env: { FUZZ_SEED: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let hung = false;
  // Loading the program and the tests counts as one long test.
  let patience = PATIENCE_FACTOR;
  let since = { at: performance.now(), cpuMs: 0 };
  const watch = setInterval(() => {
    const cpuMs = processorTime(child.pid);
    hung ||= cpuMs - since.cpuMs > patience * HANGS_AFTER_CPU_MS ||
      performance.now() - since.at > patience * HANGS_AFTER_MS;
    if (hung) tryKill(child);
  }, LOOK_MS);
  let rest = "";
  try {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      since = { at: performance.now(), cpuMs: processorTime(child.pid) };
      if (work.kind !== "survey") patience = 1;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      // A test may print: only what is ours begins like this.
      for (const line of lines) if (line.startsWith('{"kind":')) onAnswer(JSON.parse(line));
    }
  } finally {
    clearInterval(watch);
    if (!hung) tryKill(child);
    await Deno.remove(order);
  }
  const { success } = await child.status;
  return success && !hung;
}

/** What a process has computed so far, in milliseconds. */
function processorTime(pid: number): number {
  try {
    // Behind the name, which may hold anything: state is field 3, utime and stime 14 and 15.
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
    return MS_PER_TICK * (Number(fields[11]) + Number(fields[12]));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0; // It has ended.
    throw error;
  }
}

function tryKill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended already.
  }
}
