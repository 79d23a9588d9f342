import { blockOf, cidrContains, embeddedIpv4, type IpAddress } from "../addr/mod.ts";

/** What no host of a directory is, and why. A longer prefix is a closer name. */
const SPECIAL: readonly (readonly [block: string, what: string])[] = [
  ["0.0.0.0/8", "this host"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  ["::/128", "this host"],
  ["::1/128", "loopback"],
  ["fe80::/10", "link-local"],
  ["ff00::/8", "multicast"],
  // Services that tell whoever can reach them the secrets of the machine: Amazon and most others,
  // Amazon over IPv6, Azure, Oracle, Alibaba.
  ["169.254.169.254/32", "a metadata service"],
  ["fd00:ec2::254/128", "a metadata service"],
  ["168.63.129.16/32", "a metadata service"],
  ["192.0.0.192/32", "a metadata service"],
  ["100.100.100.200/32", "a metadata service"],
];

/** Why an address must not be dialled, in words for the log; `undefined` if it may. */
export type DestinationCheck = (ip: IpAddress) => string | undefined;

/**
 * Where sessions may be led. Whoever can write a row of the directory could otherwise lead a client
 * behind every firewall that lets this machine through: to services that trust its loopback, to the
 * metadata service of its cloud, to the proxy itself.
 *
 * Without networks everything may be reached but what {@link SPECIAL} names. With networks nothing
 * else may, and of the special blocks only one that a network names as closely: `127.0.0.0/8` opens
 * loopback, `0.0.0.0/0` does not. An IPv6 address that stands for an IPv4 one (NAT64, 6to4 and the
 * like) has to hold as both.
 *
 * @throws {TypeError} if a network is neither an address nor a block.
 *
 * @example
 * ```ts
 * import { compileDestinations } from "./destination.ts";
 * import { parseIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const refusal = (text: string, networks: string[] = []) => {
 *   const ip = parseIp(text);
 *   assert(ip.ok);
 *   return compileDestinations(networks)(ip.value);
 * };
 * assert.equal(refusal("10.0.0.7"), undefined);
 * assert.equal(refusal("127.0.0.1"), "loopback");
 * assert.equal(refusal("10.0.0.7", ["10.1.0.0/16"]), "not in allowed_networks");
 * ```
 */
export function compileDestinations(networks: readonly string[]): DestinationCheck {
  const allowed = networks.map((text) => blockOf(text, "allowed network"));
  const special = SPECIAL.map(([block, what]) => ({
    block: blockOf(block, "allowed network"),
    what,
  }));
  const checkOne: DestinationCheck = (ip) => {
    const covering = allowed.filter((network) => cidrContains(network, ip));
    const closest = Math.max(-1, ...covering.map(({ prefixLength }) => prefixLength));
    const refusal = special.findLast(({ block }) =>
      block.prefixLength > closest && cidrContains(block, ip)
    );
    if (refusal !== undefined) return refusal.what;
    return allowed.length > 0 && closest < 0 ? "not in allowed_networks" : undefined;
  };
  return (ip) => {
    const meant = embeddedIpv4(ip).map(checkOne).find((reason) => reason !== undefined);
    return meant ?? checkOne(ip);
  };
}
