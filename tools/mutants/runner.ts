/**
 * The process in which mutants live: loads tests of a tree with all mutants written into it, and
 * runs them once for each mutant, until one fails. It is told its work by a file and answers one
 * line a mutant, so that the process above can end it when a mutant hangs.
 *
 * @module
 */
import process from "node:process";
import { SWITCH } from "./instrument.ts";
import type { Answer, Work } from "./work.ts";

interface CollectedTest {
  readonly file: string;
  readonly name: string;
  readonly run: () => Promise<void>;
  milliseconds: number;
}

const tests: CollectedTest[] = [];
let loading = "";

/**
 * Tests that take longer without a mutant are left out, in milliseconds of processor time: there are
 * thousands of mutants, and what only a long run of random input notices has no guard of its own.
 */
const SLOW_TEST_MS = 100;

/** No mutant is on. */
const NONE = -1;

function turnOn(id: number): void {
  (globalThis as Record<string, unknown>)[SWITCH] = id;
}

function answer(value: Answer): void {
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(value) + "\n"));
}

/** Deno.test in all its forms: it collects instead of running. */
function collect(...args: unknown[]): void {
  const fn = args.findLast((arg) => typeof arg === "function") as Deno.TestDefinition["fn"];
  const options = args.find((arg) => typeof arg === "object") as Deno.TestDefinition | undefined;
  const name = args.find((arg) => typeof arg === "string") as string | undefined ??
    options?.name ?? fn?.name ?? "";
  const body = fn ?? options?.fn;
  if (body === undefined || options?.ignore === true) return;
  const file = loading;
  const context = { name, step, origin: file } as unknown as Deno.TestContext;
  tests.push({ file, name, run: async () => await body(context), milliseconds: 0 });
}

async function step(...args: unknown[]): Promise<boolean> {
  const fn = args.findLast((arg) => typeof arg === "function") as
    | Deno.TestStepDefinition["fn"]
    | undefined;
  const body = fn ?? (args[0] as Deno.TestStepDefinition).fn;
  await body({ step } as unknown as Deno.TestContext);
  return true;
}

/** Each row of a table is a test. */
function each(rows: readonly unknown[]) {
  return (name: string, ...rest: unknown[]) => {
    const fn = rest.findLast((arg) => typeof arg === "function") as (...row: unknown[]) => void;
    for (const row of rows) {
      collect(name, () => Array.isArray(row) ? fn(...row) : fn(row));
    }
  };
}

async function load(files: readonly string[]): Promise<void> {
  const stand = Object.assign(collect, { each, ignore: () => {}, only: collect });
  Object.assign(Deno, { test: stand });
  for (const file of files) {
    loading = file;
    await import(file);
  }
}

/** The name of the first test that fails. */
async function firstFailure(files: ReadonlySet<string>): Promise<string | undefined> {
  for (const test of tests) {
    if (!files.has(test.file)) continue;
    const before = process.cpuUsage();
    try {
      await test.run();
    } catch {
      return test.name;
    } finally {
      const { user, system } = process.cpuUsage(before);
      test.milliseconds = (user + system) / 1000;
      answer({ kind: "alive" });
    }
  }
  return undefined;
}

if (import.meta.main) {
  const work = JSON.parse(Deno.readTextFileSync(Deno.args[0] as string)) as Work;
  // A mutant of what runs while a module loads has to be on before that.
  turnOn(work.onWhileLoading ?? NONE);
  globalThis.addEventListener("unhandledrejection", (event) => event.preventDefault());
  try {
    await load(work.testFiles);
  } catch (error) {
    answer({ kind: "load_failed", reason: String(error) });
    Deno.exit(0);
  }
  if (work.onWhileLoading === undefined) {
    const failure = await firstFailure(new Set(work.testFiles));
    answer({ kind: "baseline", ...failure !== undefined && { failure } });
    if (failure !== undefined) Deno.exit(0);
    tests.sort((a, b) => a.milliseconds - b.milliseconds);
    const firstSlow = tests.findIndex(({ milliseconds }) => milliseconds > SLOW_TEST_MS);
    if (firstSlow >= 0) tests.splice(firstSlow);
  }
  for (const { id, testFiles } of work.mutants) {
    answer({ kind: "started", id });
    turnOn(id);
    const test = await firstFailure(new Set(testFiles));
    turnOn(work.onWhileLoading ?? NONE);
    answer(test === undefined ? { kind: "survived", id } : { kind: "killed", id, test });
  }
  // What a mutant left behind in a module must not have killed those after it.
  if (work.onWhileLoading === undefined) {
    const failure = await firstFailure(new Set(work.testFiles));
    answer({ kind: "afterwards", ...failure !== undefined && { failure } });
  }
  Deno.exit(0);
}
