import type { OctetString } from "./octet_string.ts";

/** Of a SOA record's data, at its end: serial, refresh, retry, expire and minimum. */
const FIELDS_OCTETS = 20;

/** The serial in the data of a SOA record. */
export function serialIn(data: OctetString): number {
  return soaField(data, 0);
}

/** The seconds that a SOA record has its secondaries wait (RFC 1035 §3.3.13). */
export function timersIn(data: OctetString): {
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
} {
  return { refresh: soaField(data, 1), retry: soaField(data, 2), expire: soaField(data, 3) };
}

function soaField(data: OctetString, index: number): number {
  const at = data.length - FIELDS_OCTETS + 4 * index;
  const octet = (i: number) => data.charCodeAt(at + i);
  return octet(0) * 2 ** 24 + (octet(1) << 16 | octet(2) << 8 | octet(3));
}
