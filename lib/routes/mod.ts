/**
 * Which route a server name takes: exact names first, then the longest matching wildcard. Pure.
 *
 * @module
 */
export type { Mode, Route } from "../state/mod.ts";
export { compileL7Policies, type L7Policy, parseL7Policy, type PolicySet } from "../policy/mod.ts";
export { type HttpsListener, type HttpsPlace, httpsPlace } from "./https_port.ts";
export {
  compileRoutes,
  DuplicateRouteError,
  isNamed,
  namelessRoute,
  type RouteTable,
} from "./route_table.ts";
export { compilePaths, type PathTable } from "./path_table.ts";
export { readRequestPath, type RequestPath } from "./request_path.ts";
