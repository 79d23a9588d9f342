import { EXIT, runTasks } from "../terminal/mod.ts";
import { createProgram } from "./program.ts";
import type { GlobalOptions, Session } from "./session.ts";

/**
 * Runs the `mcnsctl` command. Resolves with the exit code; every failure is lines on stderr, never a
 * stack trace.
 *
 * @param args The arguments after the program's name.
 */
export async function runMcnsctl(
  args: readonly string[],
  { version }: { readonly version: string },
): Promise<number> {
  return await runTasks<Session, GlobalOptions>(args, {
    name: "mcnsctl",
    createProgram: (run) => createProgram({ version, run }),
    openSession: async (options, output, notes) =>
      new (await import("./session.ts")).Session(options, output, notes),
    explain: async (error, { socket, server = socket }) => {
      const { explainFailure, InvalidArgumentError } = await import("../client/mod.ts");
      if (error instanceof InvalidArgumentError && error.problems.length > 1) {
        const lines = error.problems.map(({ field, description }) => `${field}: ${description}`);
        return { code: EXIT.failed, message: lines.join("\n") };
      }
      return await explainFailure(error, { server, why: ({ message }) => message });
    },
  });
}
