import { describeError } from "../observe/mod.ts";

/** A command that cannot be carried out as given: one line for the operator, exit 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "command_failed";
}

/**
 * What `action` returns; whatever it throws is said in one line.
 *
 * @throws {CommandError}
 */
export function asCommandError<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
