/**
 * Listeners, routes, firewall rules, policies and the audit log in SQLite: the truth once the
 * configuration file has seeded it. Migrations run forward when the file is opened. The columns
 * are those of the fields that lib/state describes.
 *
 * @module
 */
export {
  AlreadyExistsError,
  type AuditEntry,
  type AuditLog,
  DatabaseError,
  type DatabaseErrorCode,
  type Identity,
  NotFoundError,
  type OpenOptions,
  type RoleState,
  type Safekeeping,
  ServingLock,
  type Snapshot,
  type SnapshotOptions,
  type WaitOptions,
  whenFree,
  type WriteRole,
} from "../sqlite/mod.ts";
export { openDatabase, openMemoryDatabase } from "./open.ts";
export { type Database, type Seed } from "./database.ts";
export {
  type ListenerRow,
  type NewFirewallRule,
  type NewListener,
  type NewRoute,
  type RouteRow,
} from "./rows.ts";
export {
  type AcmeAccount,
  type AcmeOrder,
  type IssuedCertificate,
  type IssuedCertificates,
  type KeptProof,
} from "./issued_certificates.ts";
export { type SharedSecret, type SharedSecrets } from "./shared_secrets.ts";
export { type DecidedDnsChange, type DnsChangeRows } from "./dns_changes.ts";
export { type PublishedRows, type PublishedSet } from "./published_records.ts";
export { type Policies, type PolicyRow } from "./policies.ts";
export { type RuleName, type Rules, type StoredRule } from "./rules.ts";
export {
  type DrainWish,
  type ReplicaPosition,
  type Settings,
  type SourceName,
} from "./settings.ts";
export { acceptDatabase, type Restored, restoreDatabase } from "./restore.ts";
export { SCHEMA_VERSION } from "./migrations.ts";
