/** The owner tried to send a field that HTTP cannot carry; nothing was written. */
export class FieldError extends TypeError {
  override readonly name: string = "FieldError";
  /** Stable identifier for logs. */
  readonly code: string = "HTTP_INVALID_FIELD";
}
