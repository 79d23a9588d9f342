import type { Rdata } from "./rdata.ts";

/** Octets after the two names of an SOA record: serial, refresh, retry, expire, minimum. */
const NUMBERS = 20;

/** Serials are 32 bits and go round (RFC 1982). */
const HALF = 0x8000_0000;

/** The serial of the data of an SOA record. */
export function serialOfSoa(data: Rdata): number {
  return new DataView(data.buffer, data.byteOffset, data.length).getUint32(data.length - NUMBERS);
}

/** The data of an SOA record with another serial. */
export function soaWithSerial(data: Rdata, serial: number): Rdata {
  const copy = data.slice();
  new DataView(copy.buffer).setUint32(copy.length - NUMBERS, serial);
  return copy;
}

/**
 * Whether a serial is later than another one; neither is, if they are half of all serials apart
 * (RFC 1982 §3.2).
 */
export function isLaterSerial(serial: number, other: number): boolean {
  const distance = (serial - other) >>> 0;
  return distance > 0 && distance < HALF;
}

/** The serial after another one; never 0, which some servers take for none. */
export function nextSerial(serial: number): number {
  return (serial + 1) >>> 0 || 1;
}
