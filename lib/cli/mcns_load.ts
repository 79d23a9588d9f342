import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { loadMcnsConfig, type McnsConfig, type Problem } from "../dns_config/mod.ts";
import { CommandError } from "./command_error.ts";
import { describeProblems, readText } from "./load.ts";

/**
 * Reads and checks the configuration of a name server.
 *
 * @throws {CommandError} with every problem, one a line, or why the file cannot be read.
 */
export function loadMcnsFile(
  path: string,
): { readonly config: McnsConfig; readonly warnings: readonly string[] } {
  const result = loadMcnsConfig(readText(path));
  if (!result.ok) throw new CommandError(describeProblems(path, result.problems).join("\n"));
  return { config: result.config, warnings: describeProblems(path, result.warnings) };
}

/**
 * `mcns check`: looks at a configuration, at the files that it names, and whether its database has a
 * folder. Changes nothing.
 *
 * @throws {CommandError} if the file cannot be read.
 */
export function checkMcnsFile(
  path: string,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const result = loadMcnsConfig(readText(path));
  if (!result.ok) return { problems: result.problems, warnings: [] };
  const folder = dirname(resolve(result.config.database.path));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    return { problems: [], warnings: result.warnings };
  }
  const message = `the folder ${JSON.stringify(folder)} does not exist`;
  const problem = { line: 1, column: 1, key: "database.path", message };
  return { problems: [problem], warnings: result.warnings };
}
