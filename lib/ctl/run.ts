import { runTasks } from "../terminal/mod.ts";
import { createProgram } from "./program.ts";
import type { GlobalOptions, Session } from "./session.ts";

/**
 * Runs the `mcproxyctl` command. Resolves with the exit code; every failure is lines on stderr, never
 * a stack trace.
 *
 * @param args The arguments after the program's name.
 */
export async function runMcproxyctl(
  args: readonly string[],
  { version }: { readonly version: string },
): Promise<number> {
  return await runTasks<Session, GlobalOptions>(args, {
    name: "mcproxyctl",
    createProgram: (run) => createProgram({ version, run }),
    openSession: async (options, output, notes) =>
      new (await import("./session.ts")).Session(options, output, notes),
    explain: async (error, { socket }) => {
      const { explainFailure } = await import("../client/mod.ts");
      return await explainFailure(error, {
        server: socket,
        why: async () => await (await import("./unreachable.ts")).whyUnreachable(socket),
      });
    },
  });
}
