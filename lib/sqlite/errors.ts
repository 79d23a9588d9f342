/** What went wrong, for programs; the message is for operators. */
export type DatabaseErrorCode =
  | "already_exists"
  | "cannot_open"
  | "corrupt"
  | "damaged"
  | "disk_full"
  | "failed"
  | "foreign_database"
  | "invalid_value"
  | "io_error"
  | "locked"
  | "lost"
  | "missing_directory"
  | "newer_schema"
  | "not_a_snapshot"
  | "not_found"
  | "not_permitted"
  | "not_writer"
  | "read_only"
  | "replaced";

/** The database, or a file of it, refused. `cause` is the error of SQLite or the file system. */
export class DatabaseError extends Error {
  override readonly name: string = "DatabaseError";
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The row or the file exists already. */
export class AlreadyExistsError extends DatabaseError {
  override readonly name = "AlreadyExistsError";

  constructor(message: string, options?: ErrorOptions) {
    super("already_exists", message, options);
  }
}

/** The row, or the row that it belongs to, does not exist. */
export class NotFoundError extends DatabaseError {
  override readonly name = "NotFoundError";

  constructor(message: string, options?: ErrorOptions) {
    super("not_found", message, options);
  }
}

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE_CODES: Readonly<Record<number, DatabaseErrorCode>> = {
  3: "not_permitted", // SQLITE_PERM
  5: "locked", // SQLITE_BUSY
  6: "locked", // SQLITE_LOCKED
  8: "read_only", // SQLITE_READONLY
  10: "io_error", // SQLITE_IOERR
  11: "corrupt", // SQLITE_CORRUPT
  13: "disk_full", // SQLITE_FULL
  14: "cannot_open", // SQLITE_CANTOPEN
  19: "invalid_value", // SQLITE_CONSTRAINT: a CHECK or NOT NULL; see below for the others
  20: "invalid_value", // SQLITE_MISMATCH
  23: "not_permitted", // SQLITE_AUTH
  26: "corrupt", // SQLITE_NOTADB
};

/** Extended codes that say more than their primary one. */
const SQLITE_EXTENDED_CODES: Readonly<Record<number, DatabaseErrorCode>> = {
  787: "not_found", // SQLITE_CONSTRAINT_FOREIGNKEY
  1555: "already_exists", // SQLITE_CONSTRAINT_PRIMARYKEY
  2067: "already_exists", // SQLITE_CONSTRAINT_UNIQUE
};

const SYSTEM_CODES: Readonly<Record<string, DatabaseErrorCode>> = {
  EACCES: "not_permitted",
  EDQUOT: "disk_full",
  EEXIST: "already_exists",
  EIO: "io_error",
  ENOENT: "missing_directory",
  ENOSPC: "disk_full",
  ENOTDIR: "missing_directory",
  EPERM: "not_permitted",
  EROFS: "read_only",
};

/** What each code means, to end the sentence "cannot … the database …". */
const REASONS: Readonly<Record<DatabaseErrorCode, string>> = {
  "already_exists": "it exists already",
  "cannot_open": "the file cannot be opened",
  "corrupt": "the file is damaged or not a database",
  "damaged": "its content is not what this program wrote",
  "disk_full": "no space is left",
  "failed": "SQLite refused",
  "foreign_database": "the file is a database of another program",
  "invalid_value": "a value is not allowed",
  "io_error": "reading or writing the file failed",
  "locked": "another process holds it",
  "lost": "it has less than was acknowledged",
  "missing_directory": "the directory does not exist",
  "newer_schema": "a newer version of this program wrote it",
  "not_a_snapshot": "the file is no snapshot",
  "not_found": "what it belongs to does not exist",
  "not_permitted": "this user or program may not use the file",
  "not_writer": "another process has taken it over",
  "read_only": "it is read-only",
  "replaced": "the file was removed or replaced",
};

/**
 * The one translation of errors from SQLite, the file system and Deno's permissions, by code and
 * class. `action` begins the message, such as `cannot add the route "a.example"`.
 */
export function toDatabaseError(cause: unknown, action: string): DatabaseError {
  if (cause instanceof DatabaseError) return cause;
  const code = codeOf(cause);
  const message = `${action}: ${REASONS[code]}`;
  if (code === "already_exists") return new AlreadyExistsError(message, { cause });
  if (code === "not_found") return new NotFoundError(message, { cause });
  return new DatabaseError(code, message, { cause });
}

function codeOf(cause: unknown): DatabaseErrorCode {
  if (cause instanceof Deno.errors.NotCapable) return "not_permitted";
  if (!(cause instanceof Error)) return "failed";
  if ("errcode" in cause && typeof cause.errcode === "number") {
    return SQLITE_EXTENDED_CODES[cause.errcode] ?? SQLITE_CODES[cause.errcode & 0xff] ?? "failed";
  }
  if ("code" in cause && typeof cause.code === "string") {
    return SYSTEM_CODES[cause.code] ?? "failed";
  }
  return "failed";
}
