import { foldCase, type OctetString, octetString } from "./octet_string.ts";
import { partsOf, type Rdata } from "./rdata.ts";
import { layoutOf } from "./rdata_layout.ts";

/**
 * What is the same for data that says the same: names in it have no case (RFC 4343), everything else
 * is octets. Data of unknown types is octets alone (RFC 3597 §6).
 */
export function rdataKey(type: number, data: Rdata): OctetString {
  const octets = octetString(data);
  if (layoutOf(type)?.includes("name") !== true) return octets;
  let key = "";
  for (const { part, start, end } of partsOf(type, data)) {
    const own = octets.slice(start, end);
    key += part === "name" ? foldCase(own) : own;
  }
  return key;
}
