/**
 * What the planes tell about themselves: log events, outcomes of connections, counters and gauges
 * in shared memory. Pure; writing them somewhere is the command's business.
 *
 * @module
 */
export type { RequestEvent } from "./request_event.ts";
export { Pressure } from "./pressure.ts";
export {
  ALL_BACKENDS,
  BACKEND_OUTCOMES,
  type BackendOutcome,
  type ConnectionEvent,
  COUNTED_MODES,
  type CountedMode,
  isRefusal,
  type OutcomeName,
  OUTCOMES,
} from "./outcome.ts";
export {
  COUNTER_NAMES,
  type CounterName,
  type Counters,
  COUNTERS_BYTES,
  createCounters,
  sumCounters,
  sumHistogram,
} from "./counters.ts";
export {
  HISTOGRAM_BOUNDS,
  HISTOGRAM_NAMES,
  type HistogramName,
  type HistogramValue,
} from "./histogram.ts";
export { type EndedConnection, ListenerCounts, type ModeCounts } from "./listener_counts.ts";
export {
  type CountedRequest,
  foldRequestBlock,
  OTHER_ROUTES,
  readRequestCounts,
  REQUEST_BLOCK_BYTES,
  REQUEST_PROTOCOLS,
  RequestCounts,
  type RouteRequests,
  STATUS_CLASSES,
} from "./request_counts.ts";
export {
  DescriptorBudget,
  type Descriptors,
  DESCRIPTORS_BYTES,
  unlimitedDescriptors,
} from "./descriptors.ts";
export { ConnectionGauge, GAUGE_BYTES, MAX_WORKERS } from "./gauge.ts";
export { Permits, PERMITS_BYTES } from "./permits.ts";
export { describeError, LOG_LEVELS, type LogLevel, type LogRecord, type LogSink } from "./log.ts";
