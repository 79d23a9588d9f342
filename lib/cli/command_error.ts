/** A command that cannot be carried out as given: one line for the operator, exit 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "command_failed";
}
