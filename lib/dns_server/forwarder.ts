import type { IpAddress } from "../addr/mod.ts";
import type { EdnsOption } from "../dns/mod.ts";

/** Asks other servers what the zones here do not know; lib/dns_forward has one. */
export interface Forwarder {
  /** Whether somebody may have names looked up. */
  isAllowed(address: IpAddress): boolean;
  /** The answer to a message, as this client takes it; at once where it is known. */
  resolve(
    octets: Uint8Array,
    client: {
      readonly address: IpAddress;
      readonly transport: "udp" | "tcp";
      /** For the answer's EDNS record, if the question had one. */
      readonly options?: readonly EdnsOption[];
    },
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}
