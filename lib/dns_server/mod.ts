/**
 * The name server's data plane: questions over UDP, TCP and TLS at one address each, answered from
 * zones in memory.
 *
 * @module
 */
export {
  type KeySettings,
  type ServicesSettings,
  ZoneServices,
  type ZoneServiceSettings,
} from "./zone_services.ts";
export { readServices } from "./read_services.ts";
export { DNS_COUNTER_NAMES, type DnsCounterName, DnsCounters } from "./counters.ts";
export { type Forwarder } from "./forwarder.ts";
export { type Client, Responder, type ResponderOptions, type Response } from "./responder.ts";
export { createRateBuffer } from "./response_rate.ts";
export {
  type Changeable,
  type ConnectionLimits,
  type RateSettings,
  type ServingSettings,
  type TlsMaterial,
} from "./settings.ts";
export { UdpServer, type UdpServerOptions } from "./udp_server.ts";
export { Connections } from "./connections.ts";
export { StreamServer, type StreamServerOptions, type TlsFront } from "./stream_server.ts";
export { AddressServer, type AddressServerOptions, type ServedAddress } from "./address_server.ts";
export { DNS_ENTRY_URL } from "./entry_url.ts";
export { type AddressStatus } from "./address_worker.ts";
export { DnsPool, type DnsPoolOptions } from "./pool.ts";
export { DnsWorkerError } from "./worker_handle.ts";
export type { Ask, Told } from "./ask.ts";
export type { ServerStatus } from "./server_status.ts";
