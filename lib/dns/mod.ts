/**
 * The Domain Name System: names as octets, messages, the data of records, zone files, and what an
 * answer says. Pure: octets in, values out.
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
  type ResourceRecord,
  ResponseCode,
} from "./message.ts";
export { type Name, nameEquals, nameFromText, nameKey, nameToText, readName } from "./name.ts";
export { parseHosts } from "./hosts.ts";
export { parseResolvConf, type ResolvConf } from "./resolv_conf.ts";
export { nameFromZoneText } from "./name.ts";
export {
  isRdata,
  partsOf,
  type PlacedPart,
  type Rdata,
  type RdataPlace,
  readRdata,
} from "./rdata.ts";
export { foldCase, octetsOf, type OctetString, octetString } from "./octet_string.ts";
export { rdataFromText, rdataToText } from "./rdata_text.ts";
export { rdataKey } from "./rdata_key.ts";
export { rdataFromValue, txtOf } from "./record_text.ts";
export { isLaterSerial, nextSerial, serialOfSoa, soaWithSerial } from "./soa.ts";
export { isDataType, TYPE, typeFromText, typeToText } from "./record_types.ts";
export { encodeTypeBits } from "./type_bits.ts";
export {
  parseZoneFile,
  parseZoneFileInSteps,
  type ZoneFile,
  type ZoneRecord,
  zoneRecordText,
} from "./zone_file.ts";
export type { ZoneProblem } from "./zone_lines.ts";
export { ttlFromText } from "./zone_units.ts";
export { type Edns, type EdnsOption, encodeOpt, OPTION, readEdns } from "./edns.ts";
export { MessageWriter, type RecordSet, type Section } from "./message_writer.ts";
export { checkCookie, type CookieCheck } from "./cookie.ts";
export { sipHash, type SipKey, sipKey } from "./siphash.ts";
export { answerCode } from "./code_only.ts";
export { serialIn, timersIn } from "./soa_fields.ts";
