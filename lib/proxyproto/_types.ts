import type { IpAddress } from "../addr/mod.ts";
import type { ProxyTlv } from "./tlv.ts";

/** One end of a TCP connection. */
export interface SocketAddress {
  readonly ip: IpAddress;
  /** 0–65535. */
  readonly port: number;
}

/** What a PROXY protocol header says. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** `local`: the sender speaks for itself, as in a health check. */
  readonly command: "proxy" | "local";
  /** The client. Absent: use the peer of the TCP connection. */
  readonly source?: SocketAddress;
  /** What the client connected to; present exactly when `source` is. */
  readonly destination?: SocketAddress;
  /** The header speaks of a datagram protocol, such as UDP. */
  readonly isDatagram?: true;
  /** In the order sent; views into the parsed buffer. Always empty in v1. */
  readonly tlvs: readonly ProxyTlv[];
}
