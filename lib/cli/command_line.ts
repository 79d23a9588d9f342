import { type Command, CommanderError } from "commander";
import { describeError } from "../observe/mod.ts";
import { nearCommand } from "../terminal/mod.ts";
import { CommandError } from "./command_error.ts";

/** Exit codes: done, failed, called wrongly. */
export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs what a command line names. Resolves with the exit code of a failure, which is one line on
 * stderr (a configuration's problems one line each), never a stack trace; with nothing after a success.
 */
export async function runCommandLine(
  program: Command,
  args: readonly string[],
): Promise<number | undefined> {
  try {
    await program.parseAsync(args, { from: "user" });
    return undefined;
  } catch (error) {
    // Commander has written its message, or the help or version that was asked for.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_OK;
      const near = error.code === "commander.excessArguments" && nearCommand(program, args);
      if (near) print(Deno.stderr, `(Did you mean ${near}?)`);
      return EXIT_USAGE;
    }
    printProblem(program.name(), error);
    return EXIT_FAILED;
  }
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
