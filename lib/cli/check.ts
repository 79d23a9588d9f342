import { constants, copyFileSync, existsSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type Config,
  loadConfig,
  type Problem,
  readWantedState,
  wholeStateOf,
} from "../config/mod.ts";
import { driftWarning, NO_LISTENER_FOR_HTTP01 } from "../control/mod.ts";
import { type Database, openDatabase } from "../db/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { Report } from "../schema/mod.ts";
import { countDifferences, isRedirect, type State } from "../state/mod.ts";
import { readText } from "./load.ts";

/** What {@link checkFile} found; a file without problems is one to start with. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** What a file without problems says of the truth about the state. */
  readonly state?: CheckedState;
}

/** Where the truth about the state is. */
export interface CheckedState {
  readonly source: "database" | "file" | "postgres";
  /** How many differences there are to what the database holds; absent if that is not known. */
  readonly differences?: number;
}

/**
 * `mc-proxy check`: looks at a configuration, at the files that it names, and at the database that a start
 * would find. Changes nothing.
 *
 * @throws {CommandError} if the file cannot be read.
 */
export function checkFile(path: string): Checked {
  const text = readText(path);
  const wanted = readWantedState(text);
  const desired = wanted.ok ? wanted.state : {};
  const found: { differences?: number } = {};
  const result = loadConfig(text, {
    further: (config, report) => {
      const differences = checkDatabase(config, { path, desired, report });
      if (differences !== undefined) found.differences = differences;
    },
  });
  if (!result.ok) return { problems: result.problems, warnings: [] };
  const { state: { source } } = result.config;
  return { problems: [], warnings: result.warnings, state: { source, ...found } };
}

/** What `check` says of a file that it has nothing against. */
export function okWords(path: string, { source, differences }: CheckedState): string {
  if (source === "database") return `${path}: ok; what is served the database says`;
  if (source === "postgres") return `${path}: ok; what is served the group in PostgreSQL says`;
  const changes = differences === undefined || differences === 0
    ? "what is served this file says"
    : `${differences === 1 ? "1 difference" : `${differences} differences`} to what was applied ` +
      "last: a start, or `mcproxyctl reload`, makes it what is served";
  return `${path}: ok; ${changes}`;
}

function checkDatabase(
  config: Config,
  { path, desired, report }: {
    readonly path: string;
    readonly desired: State;
    readonly report: Report;
  },
): number | undefined {
  const at = ["database", "path"];
  // Said already.
  if (config.database.path === "") return;
  const file = resolve(config.database.path);
  const folder = dirname(file);
  try {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      report.problem(at, `the folder ${JSON.stringify(folder)} does not exist`);
      return;
    }
    const stored = existsSync(file) ? readStored(file) : undefined;
    const isFile = config.state.source === "file";
    const listeners = isFile ? config.listeners : stored?.listeners ?? config.listeners;
    if (listeners.length === 0) {
      const message = isFile
        ? "there is none, and this file says what is served"
        : "there is none, neither here nor in the database";
      report.warning(["listeners"], `${message}: a start would fail`);
    }
    if (config.acme?.challenge === "http-01" && !listeners.some(isRedirect)) {
      report.warning(["acme", "challenge"], NO_LISTENER_FOR_HTTP01);
    }
    if (stored === undefined) return;
    const { rateLimit: limit, rateWindowMs: windowMs } = config.firewall;
    const present = { rateLimit: { limit, windowMs }, ...stored };
    if (isFile) {
      return countDifferences(present, wholeStateOf(config), { isWhole: true });
    }
    // The truth is neither here nor there, and asking PostgreSQL is for a start.
    if (config.state.source === "postgres") return;
    const differences = countDifferences(present, desired);
    const drift = driftWarning(path, differences);
    if (drift !== undefined) report.warning([], drift);
    return differences;
  } catch (error) {
    report.warning(at, `was not looked at: ${describeError(error)}`);
  }
}

/**
 * What a database holds; nothing if it has never been written. SQLite leaves two files beside one that it
 * has only read, unless another process has it open: so one without a log is read as a copy.
 */
function readStored(file: string): State | undefined {
  if (existsSync(`${file}-wal`)) return stateOf(file);
  const copy = `${file}.check-${crypto.randomUUID()}`;
  try {
    copyFileSync(file, copy, constants.COPYFILE_EXCL);
    return stateOf(copy);
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
  }
}

function stateOf(file: string): State | undefined {
  using database: Database = openDatabase(file, { readOnly: true });
  return database.isSeeded ? database.state() : undefined;
}
