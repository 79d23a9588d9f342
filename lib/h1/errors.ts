/** The owner called something that the state of the stream or session does not allow. */
export class H1StateError extends Error {
  override readonly name = "H1StateError";
  /** Stable identifier for logs. */
  readonly code = "H1_STATE";
}
