/**
 * Keeping zones the same on several servers: telling secondaries of changes, and following primaries.
 *
 * @module
 */
export { Notifier, type NotifierOptions, type NotifyTarget } from "./notifier.ts";
export { fetchSerial, fetchZone, type Primary, TransferError } from "./fetch.ts";
export { Secondary, type SecondaryOptions, type SecondaryStatus } from "./secondary.ts";
