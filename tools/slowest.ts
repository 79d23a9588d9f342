/**
 * The slowest tests, as JUnit reports of `deno test` tell them: `deno task slowest [PATH …]` runs
 * these tests (default: all but the soak) and lists twenty.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Failure, readFailures } from "./rerun.ts";

const CONFIG = fileURLToPath(new URL("../deno.json", import.meta.url));

/** How many are listed. */
const LISTED = 20;

/**
 * Files that run at once on each core. Most tests of whole programs wait: for a process to start, for
 * a deadline to pass, for a look at a disk. One file on each core leaves both cores idle half of the
 * time; with three, memory and the deadlines of tests get tight.
 */
const FILES_ON_EACH_CORE = 2.5;

/** One test and how long it took. */
export interface TimedTest {
  readonly file: string;
  readonly name: string;
  readonly seconds: number;
}

/** The tests in a report of `deno test --junit-path`. */
export function readReport(xml: string): TimedTest[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)" time="([\d.]+)"/g);
  return [...cases].map(([, name = "", file = "", time]) => ({
    file: unescapeXml(file),
    name: unescapeXml(name),
    seconds: Number(time),
  }));
}

/** The slowest of them, a line each, the slowest first. */
export function listSlowest(tests: readonly TimedTest[], count = LISTED): string[] {
  return tests.toSorted((a, b) => b.seconds - a.seconds).slice(0, count).map(
    ({ file, name, seconds }) => `${seconds.toFixed(1).padStart(6)} s  ${file}: ${name}`,
  );
}

function unescapeXml(text: string): string {
  const characters: Readonly<Record<string, string>> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&amp;": "&",
  };
  return text.replaceAll(/&(?:lt|gt|quot|apos|amp);/g, (entity) => characters[entity] ?? entity);
}

/** How many files run at once, unless DENO_JOBS says otherwise. */
function jobs(): number {
  return Math.round(navigator.hardwareConcurrency * FILES_ON_EACH_CORE);
}

/** How a run of tests ended. */
export interface TimedRun {
  readonly code: number;
  readonly tests: readonly TimedTest[];
  readonly failures: readonly Failure[];
}

/** Runs tests under `deno test` with these arguments; what it prints is shown as it comes. */
export async function runTimed(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<TimedRun> {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-tests-" });
  try {
    const report = join(folder, "junit.xml");
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["test", "--no-check", "--no-prompt", "-A", "--config", CONFIG],
        ...[`--junit-path=${report}`, ...args],
      ],
      env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(jobs()), ...env },
      stdout: "piped",
    }).spawn();
    const [output, { code }] = await Promise.all([copyOut(child.stdout), child.status]);
    // Without a single test there is none.
    const xml = await Deno.readTextFile(report).catch(() => "");
    return { code, tests: readReport(xml), failures: readFailures(output) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Passes output on and answers it whole. */
async function copyOut(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) at += Deno.stdout.writeSync(chunk.subarray(at));
    pieces.push(decoder.decode(chunk, { stream: true }));
  }
  return pieces.join("");
}

/** Prints the slowest. */
export function printSlowest(tests: readonly TimedTest[]): void {
  printLines(["", `the slowest ${LISTED}:`, ...listSlowest(tests)]);
}

/** Prints lines. */
export function printLines(lines: readonly string[]): void {
  for (const line of lines) Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  const paths = Deno.args.length > 0 ? Deno.args : ["--ignore=tests/soak", "tests"];
  const { code, tests } = await runTimed(["--parallel", ...paths]);
  printSlowest(tests);
  Deno.exit(code);
}
