/**
 * Keeping zones the same on several servers: telling secondaries of changes, and following primaries.
 *
 * @module
 */
export { Notifier, type NotifierOptions, type NotifyTarget } from "./notifier.ts";
export { fetchSerial, fetchZone, type Primary, TransferError } from "./fetch.ts";
export { believeNotify, type NotifySource, type NotifyVerdict } from "./news.ts";
export {
  type HeldZone,
  Secondary,
  type SecondaryOptions,
  type SecondaryStatus,
} from "./secondary.ts";
export { boundedTimers, DEFAULT_BOUNDS, type TimerBounds, type ZoneTimers } from "./timers.ts";
export { Turns } from "./turns.ts";
