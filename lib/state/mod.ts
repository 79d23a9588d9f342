/**
 * What can be changed at run time, as one value: listeners, routes, policies, firewall rules, the
 * rate limit. Each of their fields is described here once. The configuration file, `apply` and
 * `export`, the checks of the admin API, the database's columns, audit entries, mcproxyctl's flags
 * and tables, and docs/config.md derive from the descriptions. Pure.
 *
 * @module
 */
export {
  backendAddress,
  EVERY_NAME,
  hostname,
  hostPattern,
  ipOrCidr,
  listenAddress,
  parseIpOrCidr,
} from "./address.ts";
export {
  BACKEND,
  type Backend,
  BACKEND_STATES,
  backendsOf,
  type BackendState,
  type BalancePolicy,
  HEALTH,
  type Health,
  parseStatusRange,
} from "./backend.ts";
export {
  authTarget,
  BASIC_AUTH,
  type BasicAuth,
  FORWARD_AUTH,
  type ForwardAuth,
  USER,
} from "./auth.ts";
export {
  formatPasswordHash,
  parsePasswordHash,
  type ScryptHash,
  USUAL_COST,
} from "./password_hash.ts";
export { type HeaderEdits } from "./header_edits.ts";
export { type RouteRate } from "./route_limits.ts";
export { DNS_SET, type DnsSet, MAX_DNS_SETS } from "./dns_record.ts";
export { countDifferences } from "./compare.ts";
export { readStateFile, type StateFile, writeStateFile } from "./file.ts";
export {
  isRedirect,
  LISTENER,
  type Listener,
  LISTENER_KINDS,
  type ListenerKind,
  type ListenerSettings,
  NO_ROUTES_OF_REDIRECT,
  refuseOverlaps,
} from "./listener.ts";
export {
  MAX_BACKENDS,
  MAX_CONNECTIONS,
  MAX_ERROR_PAGES,
  MAX_LISTENERS,
  MAX_POLICIES,
  MAX_ROUTES,
  MAX_RULES,
} from "./limits.ts";
export { locateFile, type NamedFile, parseName, stateFile } from "./named_file.ts";
export { pathName, ROUTE_PATH, type RoutePath } from "./path.ts";
export { pathRoute, waysOf } from "./path_route.ts";
export { ERROR_PAGE, type ErrorPage, judgePage, MAX_PAGE_FILE } from "./error_page.ts";
export { POLICY, type Policy } from "./policy.ts";
export { LIMIT, RATE_LIMIT, type RateLimit, WINDOW } from "./rate_limit.ts";
export { ACME } from "./edge.ts";
export {
  type Mode,
  MODES,
  ROUTE,
  type Route,
  type RouteMemory,
  type RouteSettings,
} from "./route.ts";
export { RESPOND, type Respond } from "./respond.ts";
export {
  AUTO_REASON,
  isAutomaticBan,
  isTimedBlock,
  RULE,
  type RuleSettings,
  ruleValue,
} from "./rule.ts";
export { STATE, type State } from "./state.ts";
