/**
 * Sources, and how many of their connections a limiter admits.
 *
 * @module
 */
import type { IpAddress } from "../../lib/addr/mod.ts";
import type { RateLimiter } from "../../lib/firewall/mod.ts";
import { ip } from "./firewall_rules.ts";

export const KEY = Uint32Array.of(0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210);

export const IP = ip("192.0.2.1");

export function admitted(
  limiter: RateLimiter,
  address: IpAddress,
  times: readonly number[],
): number {
  return times.filter((now) => limiter.admit(address, now)).length;
}
