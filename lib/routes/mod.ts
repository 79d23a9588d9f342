/**
 * Which route a server name takes: exact names first, then the longest matching wildcard. Pure.
 *
 * @module
 */
export { type Mode, type Route } from "./route.ts";
export { compileRoutes, DuplicateRouteError, type RouteTable } from "./route_table.ts";
