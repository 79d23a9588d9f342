/**
 * The name server's single writer: changes of zones, records and tokens, looked at, written to the
 * database and then made in the workers, all or nothing. Database first, memory second.
 *
 * @module
 */
export { Access, canonical, type Right } from "./access.ts";
export { DnsControl, type RecordQuery, type SecondaryView, type ZoneView } from "./control.ts";
export { type Explanation, type Verdict } from "./explain.ts";
export { DEFAULT_TTL, readZoneName, type RecordInput, type RecordView } from "./parse_requests.ts";
export { type NewZone } from "./new_zone.ts";
export { DnsMutationError, type DnsOperation, type Done } from "./operation.ts";
export { type DnsPlane, NO_PLANE } from "./plane.ts";
export {
  type ChangeRequest,
  type ChangeView,
  type WaitingChange,
  type ZoneVersion,
} from "./prepared_changes.ts";
export { type PlannedSet, type SetOfZone } from "./prepared_sets.ts";
export { type ServedZonesOptions } from "./served_zones.ts";
export {
  type Follower,
  type FollowState,
  type HeldSecondary,
  SecondaryZones,
  type Transferred,
} from "./secondary_zones.ts";
export { type SetInput, type SetName } from "./set_input.ts";
export { hashOf, type NewToken, type TokenView } from "./token_changes.ts";
export { type Imported, MAX_RECORDS, MAX_ZONES } from "./zone_changes.ts";
