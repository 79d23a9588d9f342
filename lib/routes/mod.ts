/**
 * Which route a server name takes: exact names first, then the longest matching wildcard. Pure.
 *
 * @module
 */
export { BACKEND_PROTOCOLS, type BackendProtocol, type Mode, type Route } from "./route.ts";
export {
  compileL7Policies,
  L7_POLICY_TYPES,
  type L7Policy,
  type L7PolicyType,
  parseL7Policy,
  type PolicyCheck,
  type PolicySet,
} from "./policy.ts";
export { compileRoutes, DuplicateRouteError, type RouteTable } from "./route_table.ts";
