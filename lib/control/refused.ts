/** Why a request is refused, for programs. */
export type RefusalCode =
  | "invalid_argument"
  | "not_found"
  | "already_exists"
  | "aborted"
  | "failed_precondition"
  | "busy"
  | "cancelled"
  | "shutting_down";

/** A request that cannot be carried out as it is; nothing has changed. The message may be shown. */
export class RefusedError extends RangeError {
  override readonly name = "RefusedError";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A field of a request is missing or out of bounds. */
export function invalid(field: string, reason: string): RefusedError {
  return new RefusedError("invalid_argument", `${field}: ${reason}`);
}

/** What a request names does not exist. */
export function missing(what: string): RefusedError {
  return new RefusedError("not_found", `${what} does not exist`);
}

/** What a request adds exists. */
export function present(what: string): RefusedError {
  return new RefusedError("already_exists", `${what} exists already`);
}
