import { type IpAddress, ipv4 } from "./ip.ts";

/** 64:ff9b::/96, the well-known prefix of NAT64 (RFC 6052 §2.1). */
const NAT64 = 0x0064ff9b;
/** 2002::/16 (RFC 3056 §2). */
const SIX_TO_FOUR = 0x2002;
/** 2001::/32 (RFC 4380 §2.6). */
const TEREDO = 0x20010000;

const NONE: readonly IpAddress[] = [];

/**
 * The IPv4 addresses that an IPv6 address stands for by a scheme of transition: whoever may write an
 * address into a header writes one of these, and the host it means is the IPv4 host. IPv4-mapped
 * addresses are not among them, because they never exist as IPv6 here.
 *
 * IPv4-compatible `::a.b.c.d` (RFC 4291 §2.5.5.1), IPv4-translated `::ffff:0:a.b.c.d` (RFC 7915),
 * NAT64 with the well-known prefix (RFC 6052) and, in both places where it may be, with the
 * local-use one (RFC 8215), 6to4 (RFC 3056), and the client of Teredo (RFC 4380).
 *
 * @example
 * ```ts
 * import { embeddedIpv4, formatIp, parseIp } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const ip = parseIp("64:ff9b::192.0.2.1");
 * assert(ip.ok);
 * assert.deepEqual(embeddedIpv4(ip.value).map(formatIp), ["192.0.2.1"]);
 * ```
 */
export function embeddedIpv4({ family, w0, w1, w2, w3 }: IpAddress): readonly IpAddress[] {
  if (family === 4) return NONE;
  if (w0 === 0 && w1 === 0) {
    if (w2 === 0xffff0000) return [ipv4(w3)];
    // `::` and `::1` are addresses of their own.
    return w2 === 0 && w3 > 1 ? [ipv4(w3)] : NONE;
  }
  if (w0 === NAT64) {
    if (w1 === 0 && w2 === 0) return [ipv4(w3)];
    // 64:ff9b:1::/48: its operator chooses /96, or /48 with an octet of zeroes in between.
    if (w1 >>> 16 === 1) return [ipv4(w3), ipv4(w1 << 16 | w2 >>> 8 & 0xffff)];
    return NONE;
  }
  if (w0 >>> 16 === SIX_TO_FOUR) return [ipv4(w0 << 16 | w1 >>> 16)];
  // "Obfuscated": every bit is reversed.
  return w0 === TEREDO ? [ipv4(~w3)] : NONE;
}
