import { octetsOf, type RecordSet } from "../dns/mod.ts";

/** The SOA record as negative answers have it, and its serial: RFC 2308 §3. */
export function readSoa(soa: RecordSet): { readonly negative: RecordSet; readonly serial: number } {
  const { type, ttl, data: [data = ""] } = soa;
  const view = new DataView(octetsOf(data).buffer);
  const minimum = view.getUint32(data.length - 4);
  const negative: RecordSet = { type, ttl: Math.min(ttl, minimum), data: [data] };
  return { negative, serial: view.getUint32(data.length - 20) };
}
