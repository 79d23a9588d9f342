import { type Decoded, invalid, NEED } from "../wire/mod.ts";
import { parseV1 } from "./_v1.ts";
import { parseV2 } from "./_v2.ts";
import type { ProxyHeader } from "./_types.ts";

export type { ProxyHeader, SocketAddress } from "./_types.ts";

/**
 * Most octets of a v2 header in all. 536 is the payload every IPv4 host must take in one segment
 * (RFC 879): the specification's reason why a header arrives whole (§2.2). UNIX addresses (232
 * octets) and the TLVs of the large clouds fit; a stranger cannot make a connection buffer more.
 */
export const DEFAULT_MAX_V2_LENGTH = 536;

/** Settings of {@link parseProxyHeader}. */
export interface ProxyHeaderOptions {
  /** Most octets of a v2 header in all, default {@link DEFAULT_MAX_V2_LENGTH}. */
  readonly maxV2Length?: number;
}

/** The first octets of "PROXY" and of the v2 signature; the choice is final. */
const V1_FIRST = 0x50;
const V2_FIRST = 0x0d;

/**
 * Reads the PROXY protocol header at the start of a connection. Give the whole buffer so far each
 * time. `size` is the length of the header; not one octet behind it is looked at, and the caller
 * keeps them: they are the client's first.
 *
 * Call it only where a header is required: "the receiver MUST NOT try to guess whether the protocol
 * header is present or not" (§2). Anything else than a header is `invalid` at the first octet that
 * shows it.
 *
 * @example
 * ```ts
 * import { parseProxyHeader } from "./header.ts";
 * import { formatIp } from "../addr/mod.ts";
 * import assert from "node:assert/strict";
 *
 * const line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
 * const header = parseProxyHeader(new TextEncoder().encode(`${line}hello`));
 * assert(header.kind === "ok" && header.value.source !== undefined);
 * assert.equal(formatIp(header.value.source.ip), "192.0.2.7");
 * assert.equal(header.size, line.length);
 * ```
 */
export function parseProxyHeader(
  bytes: Uint8Array,
  { maxV2Length = DEFAULT_MAX_V2_LENGTH }: ProxyHeaderOptions = {},
): Decoded<ProxyHeader> {
  switch (bytes[0]) {
    case undefined:
      return NEED;
    case V1_FIRST:
      return parseV1(bytes);
    case V2_FIRST:
      return parseV2(bytes, maxV2Length);
    default:
      return invalid("no PROXY protocol header");
  }
}
