/**
 * The Domain Name System: names as octets, messages, and what an answer says. Pure: octets in,
 * values out.
 *
 * @module
 */
export { type AddressAnswer, readAddressAnswer } from "./answer.ts";
export {
  CLASS_IN,
  encodeQuery,
  type Header,
  MAX_MESSAGE_BYTES,
  type Message,
  parseMessage,
  type Query,
  type Question,
  RecordType,
  type ResourceRecord,
  ResponseCode,
} from "./message.ts";
export { type Name, nameEquals, nameFromText, nameKey, nameToText, readName } from "./name.ts";
export { parseHosts } from "./hosts.ts";
export { parseResolvConf, type ResolvConf } from "./resolv_conf.ts";
