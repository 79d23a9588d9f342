import { type Command, CommanderError } from "commander";
import { EXIT } from "./exit.ts";
import { nearCommand } from "./slips.ts";
import { type Writer, writeText } from "./write.ts";

/**
 * Runs what a command line names. Resolves with an exit code: of a call that was wrong, which
 * commander has told, or what `explain` makes of another failure; with nothing after a success.
 *
 * @param args The arguments after the program's name.
 * @param stderr Where the word is named that was meant.
 */
export async function runProgram(
  program: Command,
  args: readonly string[],
  explain: (error: unknown) => number | Promise<number>,
  stderr: Writer = Deno.stderr,
): Promise<number | undefined> {
  try {
    await program.parseAsync(args, { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) return await explain(error);
    // Commander has written its message, or the help or version that was asked for.
    if (error.exitCode === 0) return EXIT.ok;
    const near = error.code === "commander.excessArguments" && nearCommand(program, args);
    if (near) writeText(stderr, `(Did you mean ${near}?)\n`);
    return EXIT.usage;
  }
}
