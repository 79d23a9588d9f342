import type { SipKey } from "../dns/mod.ts";
import type { ForwardSettings } from "../dns_forward/mod.ts";
import type { ServicesSettings } from "./zone_services.ts";

/** How answers over UDP are limited. */
export interface RateSettings {
  /** A second and prefix; 0: any number. */
  readonly responsesPerSecond: number;
  /** Each so manieth answer over the limit is sent truncated; 0: none. */
  readonly slip: number;
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
  /** Addresses and blocks that are not limited. */
  readonly exempt: readonly string[];
  /** Of the limiter that the servers of all addresses share. */
  readonly buffer: SharedArrayBuffer;
}

/** Bounds of TCP and TLS at one address. */
export interface ConnectionLimits {
  readonly tcpConnections: number;
  readonly tcpPerSource: number;
  readonly tcpIdleMs: number;
  readonly tcpPipeline: number;
}

/** A certificate and its key, PEM. */
export interface TlsMaterial {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What the servers of all addresses are given alike; it can be sent to a worker. */
export interface ServingSettings {
  /** Octets of an answer over UDP at most. */
  readonly udpPayload: number;
  readonly rate: RateSettings;
  /** Absent: clients are given no cookies. */
  readonly cookieSecret?: SipKey;
  /** Absent: names of other zones are refused. */
  readonly forward?: ForwardSettings;
  readonly limits: ConnectionLimits;
  /** Keys, and who may have which zone as a whole; absent: nothing of it. */
  readonly services?: ServicesSettings;
}

/** What changes while a server runs. */
export type Changeable = Pick<ServingSettings, "forward" | "services">;
