/**
 * The state of a program in an SQLite file: opened with migrations and checks, changed in
 * transactions that are logged and can be taken back, guarded against loss, copied and restored.
 * Knows nothing of what the state is: a program brings its {@link ProgramSchema} and a class of its
 * own on top of {@link StateDatabase}.
 *
 * @module
 */
export { type AuditEntry, type AuditLog } from "./audit_log.ts";
export { confinedWorker, type ConfinedWorkerOptions } from "./confined_worker.ts";
export { Columns, numberIn, unexpected } from "./columns.ts";
export {
  AlreadyExistsError,
  DatabaseError,
  type DatabaseErrorCode,
  NotFoundError,
} from "./errors.ts";
export { type Identity } from "./identity.ts";
export { migrate } from "./migrate.ts";
export { openInMemory, type OpenOptions, openStateDatabase, type Program } from "./open.ts";
export { FOUNDATION, type Migration, type ProgramSchema } from "./program_schema.ts";
export {
  acceptStateDatabase,
  type Restorable,
  type Restored,
  restoreStateDatabase,
} from "./restore.ts";
export { type Safekeeping } from "./safekeeping.ts";
export { ServingLock } from "./serving_lock.ts";
export { type Snapshot, type SnapshotOptions } from "./snapshot.ts";
export { type DatabaseParts, StateDatabase } from "./state_database.ts";
export { type Row, type Statements } from "./statements.ts";
export { type WaitOptions, whenFree } from "./when_free.ts";
export { type RoleState, type WriteRole } from "./write_role.ts";
