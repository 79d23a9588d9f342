/**
 * The control plane: compiles what the database holds into what the data plane serves, and carries
 * out every change of either.
 *
 * @module
 */
export { type CertificateExpiry } from "../certificates/mod.ts";
export { type Health, HealthMonitor, type HealthSource } from "./health.ts";
export {
  type ConnectorFiles,
  type ConnectorFilesOptions,
  readConnectorFiles,
} from "./connector_files.ts";
export { AutoBans, type AutoBansOptions } from "./auto_bans.ts";
export { type BackendBoard } from "./backend_board.ts";
export { type BackendStatus } from "./backend_status.ts";
export { type CertificateStatus, certifiedRoutes } from "./certificate_list.ts";
export { Control } from "./control.ts";
export {
  type ControlOptions,
  type FleetOptions,
  type PlaneSinks,
  type StateFileOptions,
} from "./control_options.ts";
export { NO_LISTENER_FOR_HTTP01 } from "./challenge_board.ts";
export { type ChangeSet, type Compiled } from "./change_set.ts";
export { Drift, driftWarning } from "./drift.ts";
export { ControlError } from "./control_error.ts";
export { type Difference } from "./difference.ts";
export { type ExplainRequest, type Explanation } from "./explanation.ts";
export type { Issuance } from "./issuance.ts";
export type { IssuanceCounts } from "./issuance_options.ts";
export type { IssuedStatus } from "./issued_status.ts";
export { MemoryGuard } from "./memory_guard.ts";
export { type Upkeep } from "./upkeep.ts";
export { type LiveConnections } from "./live_connections.ts";
export { Replay } from "./replay.ts";
export type { Replayed, ReplayedClient } from "./replay_count.ts";
export { MutationError, type Operation } from "./operation.ts";
export { type ServedState } from "./served_state.ts";
export {
  type FieldProblem,
  invalid,
  type RefusalCode,
  RefusedError,
  refuseProblems,
} from "../queue/mod.ts";
export { readRegularFile } from "./regular_file.ts";
export { type Applied } from "./state_administration.ts";
export { type Drained, drainWords, type FleetFigures } from "./group_presence.ts";
export { type FleetStatus } from "./fleet_status.ts";
export { FLEET_WAITS, type FleetView, type FleetWait, type SeenMember } from "./fleet_view.ts";
export { type Joined, joinGroup } from "./group_join.ts";
export { type StateSource } from "./state_source.ts";
export { type Reload, type Reloaded, type ReloadRequest } from "./reload.ts";
export { type ListenerStatus, listenerStatuses, type Status } from "./status.ts";
export { type RouteStatus } from "./running_totals.ts";
export { type WrittenBack } from "./write_back.ts";
