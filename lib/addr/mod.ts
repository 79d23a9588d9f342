/**
 * Addresses and names, parsed strictly: IP addresses, CIDR blocks, hostnames and `host:port`.
 * Pure; every parser returns a {@link Result} and never throws.
 *
 * @module
 */
export { failure, type Result, success } from "./result.ts";
export {
  formatIp,
  type IpAddress,
  ipFromBytes,
  ipToBytes,
  ipv4,
  ipv6,
  isLoopback,
  parseIp,
  sourceKey,
} from "./ip.ts";
export {
  blockOf,
  type Cidr,
  cidrContains,
  formatCidr,
  maskIp,
  parseBlock,
  parseCidr,
} from "./cidr.ts";
export { embeddedIpv4 } from "./embedded.ts";
export { type HostPattern, parseHostname, parseHostPattern } from "./hostname.ts";
export {
  type Endpoint,
  endpointsOverlap,
  formatEndpoint,
  parseBackendEndpoint,
  parseListenEndpoint,
} from "./endpoint.ts";
