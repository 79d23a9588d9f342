/**
 * Carrying a stream to a backend: dialling it, pumping both ways, and the deadlines behind both.
 *
 * @module
 */
export { type Clock, systemClock } from "./clock.ts";
export { type Deadline, Deadlines } from "./deadlines.ts";
export { DeadlinesByTime } from "./deadlines_by_time.ts";
export { connectWith } from "./connect.ts";
export {
  type Connect,
  ConnectDeadlines,
  dial,
  DialError,
  type DialErrorCode,
  type DialOptions,
  interleaveFamilies,
} from "./dial.ts";
export { type Lookup, shareLookups, systemLookup } from "./lookup.ts";
export { Link, Ring } from "./ring.ts";
export { BrokenWatch, type Watched } from "./broken_watch.ts";
export { Relay, type RelayEnd, type RelayOptions } from "./relay.ts";
