/**
 * Listeners, routes, firewall rules, policies and the audit log in SQLite: the truth once the
 * configuration file has seeded it. Migrations run forward when the file is opened. The columns
 * are those of the fields that lib/state describes.
 *
 * @module
 */
export { openDatabase, openMemoryDatabase, type OpenOptions } from "./open.ts";
export { type Database, type Seed } from "./database.ts";
export {
  AlreadyExistsError,
  DatabaseError,
  type DatabaseErrorCode,
  NotFoundError,
} from "./errors.ts";
export {
  type ListenerRow,
  type NewFirewallRule,
  type NewListener,
  type NewRoute,
  type RouteRow,
} from "./rows.ts";
export { type AuditEntry, type AuditLog } from "./audit_log.ts";
export { type Policies, type PolicyRow } from "./policies.ts";
export { type RuleCount, type Rules, type StoredRule } from "./rules.ts";
export { type Settings } from "./settings.ts";
export { type Identity } from "./identity.ts";
export { acceptDatabase, type Restored, restoreDatabase } from "./restore.ts";
export { type Safekeeping } from "./safekeeping.ts";
export { SCHEMA_VERSION } from "./migrations.ts";
export { type Snapshot, type SnapshotOptions } from "./snapshot.ts";
export { type WaitOptions, whenFree } from "./when_free.ts";
export { type RoleState, type WriteRole } from "./write_role.ts";
