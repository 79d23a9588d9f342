import type { IpAddress } from "../addr/mod.ts";

/** What one IPv6 customer gets. */
export const DEFAULT_IPV6_PREFIX = 64;
/** What one site gets (RFC 6177): an attacker who has one has 65,536 customers. */
export const SITE_PREFIX = 48;

/** The two words that stand for a source: an IPv4 address, or the prefix of an IPv6 address. */
export interface SourceWords {
  readonly w0: number;
  readonly w1: number;
  /** Keeps apart what is equal in the words: the family, or the length of the prefix. */
  readonly kind: number;
}

/**
 * The source that an address counts as.
 *
 * @param prefix Of IPv6 addresses, in bits, 32–64.
 */
export function sourceWords(ip: IpAddress, prefix: number): SourceWords {
  if (ip.family === 4) return { w0: ip.w3, w1: 0, kind: 4 };
  const mask = prefix <= 32 ? 0 : -1 << (64 - prefix);
  return { w0: ip.w0, w1: ip.w1 & mask, kind: prefix };
}

/**
 * Checks the length of a prefix.
 *
 * @throws {RangeError}
 */
export function checkPrefix(prefix: number): number {
  if (Number.isInteger(prefix) && prefix >= 32 && prefix <= 64) return prefix;
  throw new RangeError(`cannot count by an IPv6 prefix of ${prefix} bits: not in 32–64`);
}
