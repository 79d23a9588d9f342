/**
 * Zones as they go from server to server: whole (AXFR, RFC 5936), by what changed (IXFR, RFC 1995),
 * and news of it (NOTIFY, RFC 1996). Pure: zones and octets in, octets and zones out.
 *
 * @module
 */
export { encodeNotify, isNotifyAnswer, type Notify, readNotify } from "./notify.ts";
export { encodeTransferQuery, readTransferQuery, type TransferQuery } from "./query.ts";
export { type TransferEnd, TransferReader, type TransferResult } from "./reader.ts";
export { type Step, transferMessages, type TransferRecord, zoneRecords } from "./writer.ts";
export {
  type TransferAccess,
  type TransferClient,
  type TransferReply,
  Transfers,
  type TransfersOptions,
} from "./transfers.ts";
