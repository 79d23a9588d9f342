/**
 * Conditions on the requests of l7 routes: what kinds there are, and each compiled for the hot
 * path. Pure.
 *
 * @module
 */
export {
  compileL7Policies,
  L7_POLICY_DOC,
  L7_POLICY_TYPES,
  type L7Policy,
  type L7PolicyType,
  parseL7Policy,
  type PolicySet,
} from "./policy.ts";
export { whyNeverMet } from "./unmet.ts";
