/**
 * The mTLS connector's decisions: who a client certificate names, which host the server name asks
 * for, whether that user may reach that host, and which live sessions have lost that right.
 *
 * @module
 */
export { type Certificate, parseCertificate } from "../x509/mod.ts";
export {
  type ClientIdentity,
  type IdentityOptions,
  type IdentityRefusal,
  type IdentityResult,
  readIdentity,
} from "./identity.ts";
export {
  checkRevocation,
  type FileNote,
  type IssuerRevocations,
  loadRevocationLists,
  type RevocationLists,
  type RevocationOptions,
  type RevocationRefusal,
  type RevocationResult,
} from "../x509/mod.ts";
export {
  identifyPeer,
  type PeerOptions,
  type PeerResult,
  recheckPeer,
  type TlsPeer,
} from "./peer.ts";
export { checkConnectId, parseConnectId, parseHostAddress, ROUTE_BACKENDS } from "./host.ts";
export { type WallClock, wallClock } from "./clock.ts";
export {
  type AccessRequest,
  type Authorizer,
  type Decision,
  type DenialCause,
} from "./authorizer.ts";
export {
  type AuthorizationCache,
  type AuthorizationCacheOptions,
  createAuthorizationCache,
} from "./authorization_cache.ts";
export { type PostgresServer } from "../postgres/mod.ts";
export {
  createPostgresAuthorizer,
  DatabaseFault,
  type PostgresAuthorizerOptions,
} from "./postgres_authorizer.ts";
export {
  createSqliteAuthorizer,
  DIRECTORY_SCHEMA,
  type SqliteAuthorizerOptions,
} from "./sqlite_authorizer.ts";
export {
  createSessionRegistry,
  type LiveSession,
  type SessionEnd,
  SessionRegistry,
  type SessionRegistryOptions,
} from "./session_registry.ts";
export { type PostgresChangesOptions, watchPostgresChanges } from "./postgres_changes.ts";
export {
  type Directory,
  type DirectoryHost,
  type DirectoryProblem,
  type DirectoryResult,
  type DirectoryTeam,
  type DirectoryUser,
} from "./directory.ts";
export { importDirectory } from "./directory_import.ts";
export { openDirectory, replaceDirectory } from "./directory_store.ts";
export { compileDestinations, type DestinationCheck } from "./destination.ts";
export { type Admission, describeSessionEnd, type SessionRequest } from "./admission.ts";
export {
  type AdmissionSettings,
  DatabaseAdmission,
  type DatabaseAdmissionOptions,
  openAdmission,
  type OpenAdmissionOptions,
  sqlitePath,
} from "./database_admission.ts";
export { type Authority, parseAuthorities } from "../x509/mod.ts";
export { checkTrust, type Trust, type TrustRefusal, type TrustResult } from "./trust.ts";
export { TrustMemory } from "./trust_memory.ts";
