import { concat } from "../wire/mod.ts";
import { TAG } from "../x509/mod.ts";

/**
 * Writes the little DER (X.690) that a client of a CA has to say: two structures, so that neither a
 * library of ASN.1 nor one of decorators has to be loaded for them.
 */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concat(Uint8Array.of(tag, ...lengthOf(length)), ...parts);
}

/** A SEQUENCE. */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return der(TAG.sequence, ...parts);
}

/** A non-negative INTEGER of big-endian octets, in its shortest form. */
export function unsignedInteger(octets: Uint8Array): Uint8Array<ArrayBuffer> {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const shortest = octets.subarray(start);
  const signed = (shortest[0] ?? 0) >= 0x80;
  return der(TAG.integer, Uint8Array.from(signed || shortest.length === 0 ? [0] : []), shortest);
}

/** An OBJECT IDENTIFIER in dotted form. */
export function oid(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(left & 0x7f | 0x80);
    octets.push(...groups);
  }
  return der(TAG.oid, Uint8Array.from(octets));
}

/** A BIT STRING without unused bits. */
export function bitString(octets: Uint8Array): Uint8Array<ArrayBuffer> {
  return der(TAG.bitString, Uint8Array.of(0), octets);
}

/** An ECDSA-Sig-Value (RFC 3279 §2.2.3) of what WebCrypto gives: two numbers of the same length. */
export function ecdsaSignature(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = raw.length / 2;
  return sequence(unsignedInteger(raw.subarray(0, half)), unsignedInteger(raw.subarray(half)));
}

/** A UTCTime or, from 2050 on, a GeneralizedTime (RFC 5280 §4.1.2.5). */
export function time(ms: number): Uint8Array<ArrayBuffer> {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  const isShort = Number(text.slice(0, 4)) < 2050;
  const octets = new TextEncoder().encode(isShort ? text.slice(2) : text);
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, octets);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let left = length; left > 0; left >>>= 8) octets.unshift(left & 0xff);
  return [0x80 | octets.length, ...octets];
}
