/**
 * What upstreams of a forwarder answer in its tests.
 *
 * @module
 */
import { soaData } from "./dns_server.ts";
import { type Sent } from "./forwarding.ts";

export const address = ({ name }: Sent, ttl = 300) => ({
  answers: [{ name, type: "A", ttl, data: "192.0.2.80" }],
} as const);

export const nothing = (minimum = 60, zone = "test") => ({
  authorities: [{ name: zone, type: "SOA", ttl: 900, data: soaData(minimum) }],
} as const);

export const codeOf = (octets: Uint8Array) => (octets[3] as number) & 15;
