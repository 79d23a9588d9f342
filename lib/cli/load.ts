import {
  type Config,
  formatProblem,
  loadConfig,
  type LoadOptions,
  type Problem,
  readWantedState,
} from "../config/mod.ts";
import type { State } from "../state/mod.ts";
import { CommandError } from "./command_error.ts";

/** A configuration file that holds, with what is odd about it, one line each. */
export interface LoadedFile {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** What of the file can be changed at run time. */
  readonly state: State;
  readonly text: string;
}

/**
 * Reads and checks a configuration file.
 *
 * @throws {CommandError} with every problem, one a line, or why the file cannot be read.
 */
export function loadConfigFile(
  path: string,
  options: Pick<LoadOptions, "needsDatabase" | "readsFiles"> = {},
): LoadedFile {
  const text = readText(path);
  const result = loadConfig(text, options);
  const lines = (problems: readonly Problem[]) => describeProblems(path, problems);
  if (!result.ok) throw new CommandError(lines(result.problems).join("\n"));
  const wanted = readWantedState(text);
  const state = wanted.ok ? wanted.state : {};
  return { config: result.config, warnings: lines(result.warnings), state, text };
}

/** Problems as an operator reads them, one line each. */
export function describeProblems(path: string, problems: readonly Problem[]): string[] {
  return problems.map((problem) => formatProblem(path, problem));
}

/** @throws {CommandError} that says why the file cannot be read. */
export function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

function fileProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "the file is not readable for this user";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno was not given --allow-read for it";
  }
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Error && error.name === "InvalidData") return "it is not UTF-8";
  return error instanceof Error ? error.message : String(error);
}
