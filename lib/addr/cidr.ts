import { formatIp, type IpAddress, ipv4, ipv6, parseIp } from "./ip.ts";
import { failure, type Result, success } from "./result.ts";

/** A block of addresses; every bit of `address` after `prefixLength` is 0. */
export interface Cidr {
  readonly address: IpAddress;
  /** 0–32 for IPv4, 0–128 for IPv6. */
  readonly prefixLength: number;
}

/** The prefix of `::ffff:0:0/96`, inside which an IPv6 block is an IPv4 block. */
const MAPPED_PREFIX = 96;

/**
 * Parses `address/length` (RFC 4632 §3.1, RFC 4291 §2.3). A block with host bits set is refused and
 * the block that was probably meant is named: `10.0.0.1/8` is more often a slip than a wish.
 * A block inside `::ffff:0:0/96` becomes the IPv4 block.
 */
export function parseCidr(text: string): Result<Cidr> {
  const slash = text.indexOf("/");
  if (slash < 0) return failure('no "/" and prefix length');
  const ip = parseIp(text.slice(0, slash));
  if (!ip.ok) return ip;
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits)) return failure("the prefix length is not a number");
  let length = Number(digits);
  // Written as IPv6 but holding an IPv4 address: the length counts from the IPv6 side.
  if (ip.value.family === 4 && text.includes(":")) {
    if (length < MAPPED_PREFIX) return failure(`a mapped IPv4 block has a length of at least 96`);
    length -= MAPPED_PREFIX;
  }
  const max = ip.value.family === 4 ? 32 : 128;
  if (length > max) return failure(`the prefix length is over ${max}`);
  const block: Cidr = { address: maskIp(ip.value, length), prefixLength: length };
  if (!cidrContains({ address: ip.value, prefixLength: max }, block.address)) {
    return failure(`host bits are set; did you mean ${formatCidr(block)}?`);
  }
  return success(block);
}

/** A block, or an address, which is a block of one. */
export function parseBlock(text: string): Result<Cidr> {
  if (text.includes("/")) return parseCidr(text);
  const ip = parseIp(text);
  if (!ip.ok) return ip;
  return success({ address: ip.value, prefixLength: ip.value.family === 4 ? 32 : 128 });
}

/**
 * {@link parseBlock} of a text that was checked before; `what` it is begins the message.
 *
 * @throws {TypeError}
 */
export function blockOf(text: string, what: string): Cidr {
  const block = parseBlock(text);
  if (block.ok) return block.value;
  throw new TypeError(`${what}: ${block.reason}`);
}

/** `address/length` in canonical form. */
export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr.address)}/${cidr.prefixLength}`;
}

/** Whether the block holds the address; a block of one family never holds the other's. */
export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  if (cidr.address.family !== ip.family) return false;
  const masked = maskIp(ip, cidr.prefixLength);
  return masked.w0 === cidr.address.w0 && masked.w1 === cidr.address.w1 &&
    masked.w2 === cidr.address.w2 && masked.w3 === cidr.address.w3;
}

/** The address with every bit after `length` cleared. */
export function maskIp(ip: IpAddress, length: number): IpAddress {
  if (ip.family === 4) return ipv4(ip.w3 & wordMask(length));
  return ipv6(
    ip.w0 & wordMask(length),
    ip.w1 & wordMask(length - 32),
    ip.w2 & wordMask(length - 64),
    ip.w3 & wordMask(length - 96),
  );
}

/** A 32-bit mask with `bits` leading ones; a shift by 32 is none in JavaScript, hence the ends. */
function wordMask(bits: number): number {
  return bits <= 0 ? 0 : -1 << Math.max(0, 32 - bits);
}
