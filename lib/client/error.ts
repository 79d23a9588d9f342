import { type RpcCode, RpcError } from "../rpc/mod.ts";

/** What went wrong, for programs: gRPC's status codes in words. */
export type AdminErrorCode = RpcCode;

/** The proxy refused a call, or could not be asked. The message is for operators. */
export class AdminError extends Error {
  override readonly name: string = "AdminError";
  readonly code: AdminErrorCode;

  constructor(code: AdminErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A field of the request is missing or out of bounds. */
export class InvalidArgumentError extends AdminError {
  override readonly name = "InvalidArgumentError";
  /** Which, as in the protocol, such as `tls_cert` or `state.listeners[0].addr`. */
  readonly field: string | undefined;
  /** Every field that is wrong and why, as far as they fit into an answer. */
  readonly problems: readonly { readonly field: string; readonly description: string }[];

  constructor(
    message: string,
    options: ErrorOptions & { readonly problems?: InvalidArgumentError["problems"] } = {},
  ) {
    super("invalid_argument", message, options);
    this.problems = options.problems ?? [];
    this.field = /^([a-z0-9_.[\]]+): /.exec(message)?.[1];
  }
}

/** What the request names does not exist. */
export class NotFoundError extends AdminError {
  override readonly name = "NotFoundError";
}

/** What the request adds exists. */
export class AlreadyExistsError extends AdminError {
  override readonly name = "AlreadyExistsError";
}

/** The state has changed since the revision that the request names. */
export class AbortedError extends AdminError {
  override readonly name = "AbortedError";
}

/** No answer in time. A change that was asked for may have happened. */
export class DeadlineError extends AdminError {
  override readonly name = "DeadlineError";
}

/** Nobody answers on the socket. */
export class UnreachableError extends AdminError {
  override readonly name = "UnreachableError";
}

/** The one translation of errors, by code. */
export function toAdminError(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  if (!(error instanceof RpcError)) {
    return new AdminError("unknown", error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
  const { code, message } = error;
  const options = { cause: error };
  switch (code) {
    case "invalid_argument":
      return new InvalidArgumentError(message, { ...options, problems: error.violations });
    case "not_found":
      return new NotFoundError(code, message, options);
    case "already_exists":
      return new AlreadyExistsError(code, message, options);
    case "aborted":
      return new AbortedError(code, message, options);
    case "deadline_exceeded":
      return new DeadlineError(code, message, options);
    case "unavailable":
      return new UnreachableError(code, message, options);
    default:
      return new AdminError(code, message, options);
  }
}
