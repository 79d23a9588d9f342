import { EXIT, runTasks, type Streams } from "../terminal/mod.ts";
import type { Task } from "./commands/host.ts";
import { createProgram } from "./program.ts";
import type { GlobalOptions, Session } from "./session.ts";

/**
 * Runs the `mcproxyctl` command. Resolves with the exit code; every failure is lines on stderr, never
 * a stack trace.
 *
 * @param args The arguments after the program's name.
 * @param streams Default: those of the process.
 */
export async function runMcproxyctl(
  args: readonly string[],
  { version, streams }: { readonly version: string; readonly streams?: Streams },
): Promise<number> {
  return await runTasks<Session, GlobalOptions>(args, {
    name: "mcproxyctl",
    ...streams !== undefined && { streams },
    createProgram: (run) =>
      createProgram({
        version,
        run: (task) => run((session) => withWaiting(task, session)),
        ...streams !== undefined && { streams },
      }),
    openSession: async (options, output, notes) => {
      const { stdin } = streams ?? Deno;
      return new (await import("./session.ts")).Session(options, { stdin, output, notes });
    },
    explain: async (error, { socket }) => {
      const { explainFailure } = await import("../client/mod.ts");
      return await explainFailure(error, {
        server: socket,
        why: async () => await (await import("./unreachable.ts")).whyUnreachable(socket),
      });
    },
  });
}

/** Runs a command and, where `--wait` asks for it, waits for what it has changed. */
async function withWaiting(task: Task, session: Session): Promise<number> {
  const code = await task(session) ?? EXIT.ok;
  const { revision, options: { wait } } = session;
  if (wait === undefined || revision === 0n || code !== EXIT.ok) return code;
  const { waitForChange } = await import("./fleet.ts");
  return await waitForChange(session, { revision, wait });
}
