import { concat } from "../wire/mod.ts";

/** A vector with a length of `size` octets in front (RFC 8446 §3.4). */
export function vector(size: 1 | 2 | 3, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concat(...parts);
  return concat(uint(size, content.length), content);
}

/** An unsigned number of `size` octets. */
export function uint(size: number, value: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(size);
  for (let i = 0; i < size; i++) octets[i] = value >>> 8 * (size - 1 - i);
  return octets;
}

/** Nothing. */
export const EMPTY = new Uint8Array(0);
