import { EXIT, plain, runProgram, UsageError, writeText } from "../terminal/mod.ts";
import type { Task } from "./commands/host.ts";
import { createProgram } from "./program.ts";
import type { GlobalOptions } from "./session.ts";

/**
 * Runs the `mcproxyctl` command. Resolves with the exit code; every failure is a line on stderr,
 * never a stack trace.
 *
 * @param args The arguments after the program's name.
 */
export async function runMcproxyctl(
  args: readonly string[],
  { version }: { readonly version: string },
): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram({
    version,
    run: async (task) => {
      code = await runTask(task, program.opts<GlobalOptions>());
    },
  });
  const explain = (error: unknown) => explainFailure(error, program.opts<GlobalOptions>());
  return await runProgram(program, args, explain) ?? code;
}

async function runTask(task: Task, options: GlobalOptions): Promise<number> {
  const { Session } = await import("./session.ts");
  const to = (target: typeof Deno.stdout | typeof Deno.stderr) => ({
    write: (text: string) => writeText(target, text),
  });
  using session = new Session(options, to(Deno.stdout), to(Deno.stderr));
  return await task(session) ?? EXIT.ok;
}

/** One line, and the exit code that belongs to it. */
async function explainFailure(error: unknown, { socket }: GlobalOptions): Promise<number> {
  const fail = (code: number, message: string) => {
    // A file may have several problems.
    for (const line of message.split("\n")) writeText(Deno.stderr, `mcproxyctl: ${plain(line)}\n`);
    return code;
  };
  if (error instanceof UsageError) return fail(EXIT.usage, error.message);
  const { AdminError, DeadlineError, UnreachableError } = await import("../client/mod.ts");
  if (error instanceof UnreachableError) {
    const { whyUnreachable } = await import("./unreachable.ts");
    return fail(EXIT.unreachable, `nobody answers on ${socket}: ${await whyUnreachable(socket)}`);
  }
  if (error instanceof DeadlineError) return fail(EXIT.unreachable, "no answer in time");
  if (error instanceof AdminError) return fail(EXIT.failed, error.message);
  throw error;
}
