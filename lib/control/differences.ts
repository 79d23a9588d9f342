/**
 * Every difference between two states that there can be: each makes itself true in the database and
 * the data plane, and says what it is to the audit log and the log of a group.
 */
export { addListener, removeListener, updateListener } from "./listener_differences.ts";
export { addRoute, removeRoute, updateRoute } from "./route_differences.ts";
export { addPolicy, removePolicy } from "./policy_differences.ts";
export {
  addRule,
  isOtherRule,
  removeRule,
  setRateLimit,
  updateRule,
} from "./firewall_differences.ts";
