/**
 * Passing questions on to recursive servers: who may ask, whom, and what is remembered.
 *
 * @module
 */
export {
  type ForwardClient,
  type ForwardCounts,
  Forwarder,
  type ForwarderOptions,
  type ForwardStatus,
} from "./forwarder.ts";
export {
  DEFAULT_ALLOW_RECURSION,
  DEFAULT_FORWARD_LIMITS,
  defaultAllowRecursion,
  type ForwardLimits,
  type ForwardSettings,
  type ForwardZone,
  leadsToItself,
  type UpstreamSettings,
} from "./settings.ts";
export type { Transport, UpstreamStatus } from "./upstream.ts";
