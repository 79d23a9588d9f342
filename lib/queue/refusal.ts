import type { Report } from "../schema/mod.ts";

/** Why a request is refused, for programs. */
export type RefusalCode =
  | "invalid_argument"
  | "not_found"
  | "already_exists"
  | "aborted"
  | "failed_precondition"
  | "busy"
  | "cancelled"
  | "unavailable"
  | "shutting_down";

/** What is wrong with one field of a request. */
export interface FieldProblem {
  /** Its path, such as `state.listeners[0].listener.addr`. */
  readonly field: string;
  readonly message: string;
}

/** A request that cannot be carried out as it is; nothing has changed. The message may be shown. */
export class RefusedError extends RangeError {
  override readonly name = "RefusedError";
  readonly code: RefusalCode;
  /** Everything that is wrong with fields; the message says the first of it. */
  readonly problems: readonly FieldProblem[];

  constructor(
    code: RefusalCode,
    message: string,
    options: ErrorOptions & { readonly problems?: readonly FieldProblem[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.problems = options.problems ?? [];
  }
}

/** A field of a request is missing or out of bounds. */
export function invalid(field: string, reason: string): RefusedError {
  return invalidFields([{ field, message: reason }]);
}

/**
 * Refuses what a report found, if it found anything.
 *
 * @param nameOf gives a path the name that it has in the request. Default: the same.
 * @throws {RefusedError} `invalid_argument`
 */
export function refuseProblems(
  { problems }: Report,
  nameOf: (key: string) => string = (key) => key,
): void {
  if (problems.length === 0) return;
  throw invalidFields(problems.map(({ key, message, suggestion }) => {
    const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    return { field: nameOf(key), message: `${message}${hint}` };
  }));
}

/** Several fields of a request are wrong; the message says the first of it. */
export function invalidFields(problems: readonly FieldProblem[]): RefusedError {
  const [first, ...others] = problems;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const message = `${first?.field}: ${first?.message}${more}`;
  return new RefusedError("invalid_argument", message, { problems });
}

/** What a request names does not exist. */
export function missing(what: string): RefusedError {
  return new RefusedError("not_found", `${what} does not exist`);
}

/** What a request adds exists. */
export function present(what: string): RefusedError {
  return new RefusedError("already_exists", `${what} exists already`);
}
