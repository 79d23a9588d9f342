/**
 * A group of proxies with one truth in PostgreSQL: the things that the state is made of, the log of
 * revisions and how a replica follows it, and the connection to the database that keeps both.
 *
 * @module
 */
export {
  type DatedRule,
  type FleetObject,
  keyOf,
  listenerKey,
  type ObjectKey,
  objectsOf,
  policyKey,
  routeKey,
  ruleKey,
  stateOf,
  UnknownObjectError,
} from "./objects.ts";
export {
  type AuditLine,
  cut,
  type Edit,
  type Entry,
  ForeignHistoryError,
  type Head,
  type Position,
  put,
  type Step,
  stepsOf,
  strip,
  wayFrom,
} from "./log.ts";
export { FleetLink, type FleetLinkOptions, type GroupSnapshot } from "./link.ts";
export { type Member, type Report } from "./member.ts";
export { type Appended, type NewEntry, type Turn } from "./writer.ts";
export { FLEET_FORMATS, type FleetFormats, formatOf } from "./format.ts";
export { type Bulletin, type Drain, type Exchanged, type Neighbour } from "./bulletin.ts";
export { FleetLinkError } from "./link_error.ts";
export {
  type FoundProof,
  type GroupOrders,
  type HeldTurn,
  type OrderName,
  type ProofReach,
  type Taken,
  type TurnLimits,
} from "./orders.ts";
export { type FoundSecret, type GroupSecrets, type SecretPage } from "./secrets.ts";
export { type SealedAs, Sealer, type Unsealed } from "./sealing.ts";
export { type NamedListener } from "./names.ts";
export { listenToGroup } from "./listen.ts";
export { FLEET_SCHEMA, FLEET_VERSION } from "./schema.ts";
