/**
 * The process in which mutants live: loads tests of a tree with all mutants written into it, and
 * runs those that pass a mutant, until one fails. It is told its work by a file and answers one
 * line a mutant, so that the process above can end it when a mutant hangs.
 *
 * @module
 */
import process from "node:process";
import { type Answer, type Assignment, type StepLimits, SWITCH, type Work } from "./work.ts";

interface CollectedTest {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const tests: CollectedTest[] = [];

/** Tests that noticed something lately and so are tried first. */
const KEEN_TESTS = 6;

/** No mutant is on. */
const NONE = -1;
let active = NONE;
/** For each mutant, whether it was passed. */
let passed = new Uint8Array();
/** Places passed since the test began, and how many it may pass. */
let steps = 0;
let limit = Infinity;
/** The place in `tests` of each that has noticed something, the last one first. */
const keen = new Set<number>();

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
  const context = { name, step, origin: "" } as unknown as Deno.TestContext;
  tests.push({ name, run: async () => await body(context) });
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
  for (const file of files) await import(file);
}

/** The mutants that were passed since the last time. */
function takePassed(): number[] {
  const passes = [...passed.keys()].filter((id) => passed[id] === 1);
  passed.fill(0);
  return passes;
}

/** Runs each test once without a mutant. */
async function survey(): Promise<void> {
  answer({ kind: "loaded", passes: takePassed() });
  for (const [test, { name, run }] of tests.entries()) {
    steps = 0;
    const before = process.cpuUsage();
    const failed = await fails(run);
    const { user, system } = process.cpuUsage(before);
    const passes = takePassed();
    const cost = (user + system) / 1000;
    answer({ kind: "surveyed", test, name, cost, steps, passes, failed });
  }
}

/** The name of the first of these tests that fails, or passes far more places than it should. */
async function firstFailure(
  chosen: Iterable<number>,
  limits: StepLimits,
): Promise<string | undefined> {
  for (const place of chosen) {
    const test = tests[place];
    steps = 0;
    limit = limits[place] ?? Infinity;
    const failed = test !== undefined && await fails(test.run);
    // Code under test may have caught what ended its loop.
    const hung = steps > limit;
    limit = Infinity;
    if (failed || hung) {
      keen.delete(place);
      keen.add(place);
      return test?.name;
    }
    answer({ kind: "alive" });
  }
  return undefined;
}

/** What noticed the mutants before, most of them in the same file, comes first. */
function keenFirst(chosen: readonly number[]): readonly number[] {
  const among = new Set(chosen);
  const first = [...keen].reverse().slice(0, KEEN_TESTS).filter((place) => among.has(place));
  return [...new Set([...first, ...chosen])];
}

async function fails(run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch {
    return true;
  }
}

async function tryMutant(
  { id, tests: chosen }: Assignment,
  after: number,
  limits: StepLimits,
): Promise<void> {
  answer({ kind: "started", id });
  active = id;
  const test = await firstFailure(keenFirst(chosen), limits);
  active = after;
  answer(test === undefined ? { kind: "survived", id } : { kind: "killed", id, test });
}

async function work(order: Work): Promise<void> {
  if (order.kind === "survey") passed = new Uint8Array(order.mutants);
  // A mutant of what runs while a module loads has to be on before that.
  if (order.kind === "static") active = order.id;
  try {
    await load(order.testFiles);
  } catch (error) {
    return answer({ kind: "load_failed", reason: String(error) });
  }
  if (order.kind === "survey") return await survey();
  if (order.kind === "static") return await tryMutant(order, order.id, order.limits);
  for (const mutant of order.mutants) await tryMutant(mutant, NONE, order.limits);
  // What a mutant left behind in a module must not have killed those after it.
  const failure = await firstFailure(
    new Set(order.mutants.flatMap(({ tests }) => tests)),
    order.limits,
  );
  answer({ kind: "afterwards", ...failure !== undefined && { failure } });
}

if (import.meta.main) {
  (globalThis as Record<string, unknown>)[SWITCH] = (id: number) => {
    passed[id] = 1;
    if (++steps > limit) throw new Error("a test passes far more places than without a mutant");
    return id === active;
  };
  globalThis.addEventListener("unhandledrejection", (event) => event.preventDefault());
  await work(JSON.parse(Deno.readTextFileSync(Deno.args[0] as string)) as Work);
  Deno.exit(0);
}
