/** Exit codes, the same in every version. */
export const EXIT = {
  ok: 0,
  /** The proxy refused, or it is not healthy. */
  failed: 1,
  /** Called wrongly. */
  usage: 2,
  /** Nobody answers on the socket, or not in time. */
  unreachable: 3,
} as const;

/** A command that was called wrongly: one line for the operator, exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}
