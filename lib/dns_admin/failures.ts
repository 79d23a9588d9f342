import type { RefusalCode } from "../queue/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { DatabaseError, type DatabaseErrorCode } from "../sqlite/mod.ts";
import { AuthError } from "./auth.ts";

/** Why a call failed, for callers. */
export interface Failure {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly fields?: readonly { readonly field: string; readonly message: string }[];
}

const REFUSALS: Readonly<Record<RefusalCode, number>> = {
  "invalid_argument": 400,
  "not_found": 404,
  "already_exists": 409,
  aborted: 412,
  "failed_precondition": 409,
  busy: 503,
  cancelled: 503,
  unavailable: 503,
  "shutting_down": 503,
};

const AUTH: Readonly<Record<AuthError["code"], number>> = {
  unknown: 401,
  forbidden: 403,
  "too_many": 429,
  unavailable: 503,
};

/** What a caller can do something about; the rest is for the log. */
const DATABASE: Partial<Record<DatabaseErrorCode, readonly [status: number, title: string]>> = {
  "already_exists": [409, "it exists already"],
  "not_found": [404, "it does not exist"],
  locked: [503, "another process holds the database, nothing has changed: try again"],
  "not_writer": [503, "another process is taking over, nothing has changed: ask it"],
  "disk_full": [507, "the database's disk is full, nothing has changed: make room and try again"],
  "read_only": [507, "the database's file system is read-only, nothing has changed"],
  replaced: [409, "the database's file was replaced: write it back, or restart"],
};

/** The failure that an error is; undefined for one that nobody outside learns anything of. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof RefusedError) {
    const { code, message, problems } = error;
    const fields = problems.length === 0 ? {} : { fields: problems };
    return { status: REFUSALS[code], code, title: message, ...fields };
  }
  if (error instanceof AuthError) {
    const { code, message } = error;
    return { status: AUTH[code], code, title: message };
  }
  const known = error instanceof DatabaseError ? DATABASE[error.code] : undefined;
  if (known === undefined) return undefined;
  return { status: known[0], code: (error as DatabaseError).code, title: known[1] };
}
