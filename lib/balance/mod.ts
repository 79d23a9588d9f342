/**
 * Choosing between the backends of a route: policies, health as connections and checks find it, slow
 * start, a bounded line, and what may be tried again. Without I/O and without a clock of its own; what
 * has to hold over all threads is in shared memory.
 *
 * @module
 */
export { type BalancedRoute, Balancer, type BalancerHost, DEFAULT_QUEUE } from "./balancer.ts";
export { Balancers, type SharedCell } from "./balancers.ts";
export { cellKey, type CellName } from "./cell_name.ts";
export { BackendCell, CELL_BYTES, type CheckResult } from "./cell.ts";
export { type BalancePolicy, POLICIES, usable } from "./choose.ts";
export { type BackendState, type Condition, CONDITIONS, stateOf } from "./condition.ts";
export { hashText, rendezvous } from "./hash.ts";
export { SHORT_KEY_LENGTH, shortKey } from "./short_key.ts";
export { BALANCE_LIMITS, type BalanceLimits } from "./limits.ts";
export { type BalancedBackend, Member } from "./member.ts";
export type { NoPlace, PlaceRequest } from "./place_request.ts";
export type { Place } from "./place.ts";
