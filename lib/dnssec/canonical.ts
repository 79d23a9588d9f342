import { foldCase, octetsOf, type OctetString, partsOf, TYPE } from "../dns/mod.ts";

/** RFC 4034 §6.2 with RFC 6840 §5.1: types whose names have no case when they are signed. */
const FOLDED: ReadonlySet<number> = new Set([
  TYPE.NS,
  TYPE.CNAME,
  TYPE.SOA,
  TYPE.PTR,
  TYPE.MX,
  TYPE.RP,
  TYPE.AFSDB,
  TYPE.SRV,
  TYPE.NAPTR,
  TYPE.KX,
  TYPE.DNAME,
]);

/** The data of a set as it is signed: names in lower case, in order, each once (RFC 4034 §6.3). */
export function canonicalData(type: number, data: readonly OctetString[]): OctetString[] {
  const folded = FOLDED.has(type) ? data.map((own) => withFoldedNames(type, own)) : data;
  // Strings of octets are in the order of the octets.
  return [...new Set(folded)].sort((a, b) => a < b ? -1 : 1);
}

function withFoldedNames(type: number, data: OctetString): OctetString {
  const octets = octetsOf(data);
  let folded = "";
  for (const { part, start, end } of partsOf(type, octets)) {
    const own = data.slice(start, end);
    folded += part === "name" ? foldCase(own) : own;
  }
  return folded;
}
