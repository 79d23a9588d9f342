/**
 * Which route a server name takes: exact names first, then the longest matching wildcard. Pure.
 *
 * @module
 */
export type { BackendProtocol, Mode, Route } from "../state/mod.ts";
export { compileL7Policies, type L7Policy, parseL7Policy, type PolicySet } from "../policy/mod.ts";
export {
  compileRoutes,
  DuplicateRouteError,
  namelessRoute,
  type RouteTable,
} from "./route_table.ts";
