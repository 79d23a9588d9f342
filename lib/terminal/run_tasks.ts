import type { Command, OptionValues } from "commander";
import type { Output } from "./answers.ts";
import { EXIT, UsageError } from "./exit.ts";
import { runProgram } from "./run_program.ts";
import { plain } from "./table.ts";
import type { Streams } from "./streams.ts";
import { type Writer, writeText } from "./write.ts";

/** What a command does in a session; an exit code, or nothing for success. */
export type TaskIn<Session> = (session: Session) => Promise<number | void>;

/** What a failure is to whoever sits at the terminal: lines, and an exit code. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

/** A program whose commands are tasks in sessions of one server. */
export interface TaskProgram<Session extends Disposable, Options extends OptionValues> {
  readonly name: string;
  /** Default: those of the process. */
  readonly streams?: Streams;
  /** The commands; each hands what it does to `run`. */
  createProgram(run: (task: TaskIn<Session>) => Promise<void>): Command;
  /** A session for one task. */
  openSession(options: Options, output: Output, notes: Output): Promise<Session>;
  /** What is known of a failure; of another one it is nothing, and that is a bug of ours. */
  explain(error: unknown, options: Options): Promise<Failure | undefined>;
}

/**
 * Runs what a command line names. Resolves with an exit code; every failure is lines on stderr, never
 * a stack trace.
 *
 * @param args The arguments after the program's name.
 */
export async function runTasks<Session extends Disposable, Options extends OptionValues>(
  args: readonly string[],
  { name, streams = Deno, createProgram, openSession, explain }: TaskProgram<Session, Options>,
): Promise<number> {
  const { stdout, stderr } = streams;
  let code: number = EXIT.ok;
  const program = createProgram(async (task) => {
    using session = await openSession(program.opts<Options>(), to(stdout), to(stderr));
    code = await task(session) ?? EXIT.ok;
  });
  const tell = async (error: unknown) => {
    const failure = error instanceof UsageError
      ? { code: EXIT.usage, message: error.message }
      : await explain(error, program.opts<Options>());
    if (failure === undefined) throw error;
    // A file may have several problems.
    for (const line of failure.message.split("\n")) {
      writeText(stderr, `${name}: ${plain(line)}\n`);
    }
    return failure.code;
  };
  return await runProgram(program, args, tell, stderr) ?? code;
}

function to(target: Writer): Output {
  return { write: (text) => writeText(target, text) };
}
