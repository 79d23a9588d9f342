/**
 * The PROXY protocol, versions 1 and 2, as HAProxy's `doc/proxy-protocol.txt` specifies it: how a
 * proxy in front tells who its client is. Strict, because a sender is a machine and what two
 * receivers read differently is a way around a firewall. Pure.
 *
 * Decisions where the specification leaves room or implementations differ:
 *
 * - **v1.** No leading zeroes, no port over 65535, one space between fields, CRLF at the end within
 *   107 octets; nginx and HAProxy are more lenient. `TCP4` takes dotted addresses only and `TCP6`
 *   colon forms only; a plain IPv4 address after `TCP6` is refused. After `UNKNOWN` anything may
 *   stand before the CRLF and is ignored, as §2.1 asks.
 * - **LOCAL.** "The receiver must accept this connection as valid […] and discard the protocol block
 *   including the family which is ignored" (§2.2): any family, transport and block is stepped over
 *   by its length. TLVs behind it are kept if they are well-formed, but never a reason to refuse.
 * - **UNSPEC**, as family or transport, and UNIX give no source: the caller falls back to the
 *   addresses of the TCP connection (§2.2, "falls back to the UNSPEC mode"). A block that is not a
 *   list of TLVs is ignored only when the family is UNSPEC, which leaves its layout open.
 * - **DGRAM** gives the source like STREAM does, and the header says so (`isDatagram`): whoever reads
 *   it from a TCP connection has to refuse it. Falling back to the sender's own address would let a
 *   blocked client pass the firewall as the load balancer.
 * - A block shorter than its family's addresses is refused, with any transport.
 * - **TLVs** that overrun the header, or leave a rest too short for a TLV, refuse the header
 *   (HAProxy closes, others ignore them). Types that the specification defines must have the form it
 *   gives them and, except NOOP, occur once; unknown types are kept as they are.
 * - A **CRC32C** TLV is verified; one that is not four octets long is refused.
 * - The length limit is far below the 65,551 octets the format allows: see
 *   {@link DEFAULT_MAX_V2_LENGTH}.
 * - An IPv4-mapped IPv6 address is the IPv4 address. Multicast, class E and unspecified addresses
 *   are addresses like others: the grammar admits them, and a firewall rule can name them.
 *
 * @module
 */
export {
  DEFAULT_MAX_V2_LENGTH,
  parseProxyHeader,
  type ProxyHeader,
  type ProxyHeaderOptions,
  type SocketAddress,
} from "./header.ts";
export { encodeProxyV2, encodeProxyV2Local, type ProxyV2Addresses } from "./encode.ts";
export {
  alpnTlv,
  authorityTlv,
  MAX_UNIQUE_ID,
  type ProxyTlv,
  readAlpnTlv,
  readAuthorityTlv,
  readCrc32cTlv,
  readNetnsTlv,
  readUniqueIdTlv,
  TlvType,
  uniqueIdTlv,
} from "./tlv.ts";
export { type ProxySsl, readSslTlv, sslTlv } from "./ssl.ts";
