import type { Command } from "commander";
import { describeError } from "../observe/mod.ts";
import { EXIT, runProgram } from "../terminal/mod.ts";
import { CommandError } from "./command_error.ts";

/**
 * Runs what a command line names. Resolves with the exit code of a failure, which is one line on
 * stderr (a configuration's problems one line each), never a stack trace; with nothing after a success.
 */
export function runCommandLine(
  program: Command,
  args: readonly string[],
): Promise<number | undefined> {
  return runProgram(program, args, (error) => {
    printProblem(program.name(), error);
    return EXIT.failed;
  });
}

/** Writes a line, or several. */
export function print(target: { writeSync(bytes: Uint8Array): number }, text: string): void {
  target.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** A failure that nobody foresaw is one line too: its trace would say nothing to an operator. */
function printProblem(program: string, error: unknown): void {
  const text = error instanceof CommandError
    ? error.message
    : `unexpected failure: ${describeError(error)}`;
  try {
    print(Deno.stderr, text.split("\n").map((line) => `${program}: ${line}`).join("\n"));
  } catch {
    // Nobody reads it; the exit code still tells.
  }
}
