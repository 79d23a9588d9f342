import type { Streams, TaskIn } from "../../terminal/mod.ts";
import type { Session } from "../session.ts";

/** What a command does in a session; an exit code, or nothing for success. */
export type Task = TaskIn<Session>;

/** What the commands do with their tasks. */
export interface ProgramHost {
  /** Runs a task. */
  run(task: Task): Promise<void>;
  readonly version: string;
  /** Default: those of the process. */
  readonly streams?: Streams;
}
