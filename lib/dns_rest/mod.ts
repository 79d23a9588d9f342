/**
 * A client of a name server's API (`lib/dns_admin`) for programs that change records on their own:
 * bounded in time and octets, its failures in the operators' words.
 *
 * @module
 */
export {
  abortChange,
  type ChangeOfSets,
  commitChange,
  prepareChange,
  type PreparedChange,
  type SetDifference,
  waitingChanges,
  type WantedSet,
  type ZoneVersion,
} from "./changes.ts";
export {
  callDnsRest,
  type DnsRestAnswer,
  type DnsRestCall,
  type DnsRestOptions,
} from "./client.ts";
export { DnsRestError, type DnsRestErrorCode } from "./error.ts";
export { addText, removeText, type TextRecord } from "./texts.ts";
