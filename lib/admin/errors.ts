import { type RefusalCode, RefusedError } from "../control/mod.ts";
import { DatabaseError, type DatabaseErrorCode } from "../db/mod.ts";
import { type RpcCode, RpcError } from "../rpc/mod.ts";

const REFUSALS: Readonly<Record<RefusalCode, RpcCode>> = {
  "invalid_argument": "invalid_argument",
  "not_found": "not_found",
  "already_exists": "already_exists",
  "aborted": "aborted",
  "failed_precondition": "failed_precondition",
  "busy": "resource_exhausted",
  "cancelled": "cancelled",
  "unavailable": "unavailable",
  "shutting_down": "unavailable",
};

/** What a caller of Snapshot can do something about; the rest is for the log. */
const SNAPSHOT_PROBLEMS: Partial<Record<DatabaseErrorCode, string>> = {
  "cannot_open": "is not a regular file",
  "missing_directory": "the folder does not exist",
  "not_a_snapshot": "the file there is no snapshot, and nothing else is replaced",
  "not_permitted": "the proxy may not write there",
  "read_only": "the file system is read-only",
};

/** The one translation of errors for callers; what it does not know stays internal. */
export function toRpcError(error: unknown): unknown {
  if (error instanceof RefusedError) {
    const violations = error.problems.map(({ field, message }) => ({
      field,
      description: message,
    }));
    return new RpcError(REFUSALS[error.code], error.message, { cause: error, violations });
  }
  // What the checks before could not see, such as a row of another spelling.
  if (error instanceof DatabaseError && error.code === "already_exists") {
    return new RpcError("already_exists", "it exists already", { cause: error });
  }
  if (error instanceof DatabaseError && error.code === "not_found") {
    return new RpcError("not_found", "it does not exist", { cause: error });
  }
  if (error instanceof DatabaseError && error.code === "locked") {
    const message = "another process holds the database, nothing has changed: try again";
    return new RpcError("unavailable", message, { cause: error });
  }
  if (error instanceof DatabaseError && error.code === "not_writer") {
    const message = "another process is taking over, nothing has changed: ask it";
    return new RpcError("unavailable", message, { cause: error });
  }
  if (error instanceof DatabaseError && error.code === "disk_full") {
    const message = "the database's disk is full, nothing has changed: make room and try again";
    return new RpcError("resource_exhausted", message, { cause: error });
  }
  if (error instanceof DatabaseError && error.code === "read_only") {
    const message = "the database's file system is read-only, nothing has changed";
    return new RpcError("failed_precondition", message, { cause: error });
  }
  // Says what to do, and nothing that the caller of a private socket may not know.
  if (error instanceof DatabaseError && error.code === "replaced") {
    return new RpcError("failed_precondition", error.message, { cause: error });
  }
  return error;
}

/** {@link toRpcError} for the copy of a database, whose path the caller chose. */
export function toSnapshotError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
  if (error.code === "already_exists") {
    return new RpcError("already_exists", "path: the file exists", { cause: error });
  }
  const problem = SNAPSHOT_PROBLEMS[error.code];
  if (problem === undefined) return error;
  return new RpcError("invalid_argument", `path: ${problem}`, { cause: error });
}
