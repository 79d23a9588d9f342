import { type IpAddress, parseIp } from "../addr/mod.ts";
import { type Decoded, invalid, NEED, ok } from "../wire/mod.ts";
import type { ProxyHeader } from "./_types.ts";

/**
 * §2.1: "worst case (optional fields set to 0xff) […] 107 chars", CRLF included. "If the CRLF
 * sequence is not found in the first 107 characters, the receiver should declare the line invalid."
 */
const MAX_V1_LENGTH = 107;

/** "PROXY ". */
const PREFIX = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20);
const CR = 0x0d;
const LF = 0x0a;

const NO_PREFIX = invalid('a v1 header does not begin with "PROXY "');
const TOO_LONG = invalid(`a v1 header has no CRLF in its first ${MAX_V1_LENGTH} octets`);
/** "The receiver must not tolerate a single CR or LF character to end the line". */
const LONE_CR_OR_LF = invalid("a v1 header has a CR or LF alone");
const UNKNOWN_PROTOCOL = invalid("a v1 header names no known protocol");
const WRONG_FIELDS = invalid("a v1 header does not have four fields after its protocol");
const WRONG_ADDRESS = invalid("a v1 header has an address that its protocol does not allow");
const WRONG_PORT = invalid("a v1 header has a port that is not 0–65535 without leading zeroes");

/**
 * Reads a v1 line: "Any sequence which does not exactly match the protocol must be discarded and
 * cause the receiver to abort the connection" (§2.1).
 */
export function parseV1(bytes: Uint8Array): Decoded<ProxyHeader> {
  const size = lineLength(bytes);
  if (typeof size !== "number") return size;
  let line = "";
  for (let i = PREFIX.length; i < size - 2; i++) line += String.fromCharCode(bytes[i] as number);
  // "the receiver must ignore anything presented before the CRLF is found".
  if (line === "UNKNOWN" || line.startsWith("UNKNOWN ")) {
    return ok({ version: 1, command: "proxy", tlvs: [] }, size);
  }
  const [protocol, ...fields] = line.split(" ");
  if (protocol !== "TCP4" && protocol !== "TCP6") return UNKNOWN_PROTOCOL;
  if (fields.length !== 4) return WRONG_FIELDS;
  const [from = "", to = "", fromPort = "", toPort = ""] = fields;
  const sourceIp = parseAddress(from, protocol);
  const destinationIp = parseAddress(to, protocol);
  if (sourceIp === undefined || destinationIp === undefined) return WRONG_ADDRESS;
  const sourcePort = parsePort(fromPort);
  const destinationPort = parsePort(toPort);
  if (sourcePort === undefined || destinationPort === undefined) return WRONG_PORT;
  return ok({
    version: 1,
    command: "proxy",
    source: { ip: sourceIp, port: sourcePort },
    destination: { ip: destinationIp, port: destinationPort },
    tlvs: [],
  }, size);
}

/** The octets up to and with the CRLF, or why there is no line. */
function lineLength(bytes: Uint8Array): number | Decoded<never> {
  for (let i = 0; i < bytes.length; i++) {
    if (i === MAX_V1_LENGTH) return TOO_LONG;
    const octet = bytes[i];
    if (i < PREFIX.length) {
      if (octet !== PREFIX[i]) return NO_PREFIX;
    } else if (bytes[i - 1] === CR) {
      return octet === LF ? i + 1 : LONE_CR_OR_LF;
    } else if (octet === LF) {
      return LONE_CR_OR_LF;
    }
  }
  // Without this the verdict on 107 octets would wait for one that a stalled sender never sends.
  return bytes.length < MAX_V1_LENGTH ? NEED : TOO_LONG;
}

/** The protocol fixes the notation; a mapped IPv4 address in colon form is fine after TCP6. */
function parseAddress(text: string, protocol: "TCP4" | "TCP6"): IpAddress | undefined {
  if (text.includes(":") !== (protocol === "TCP6")) return undefined;
  const ip = parseIp(text);
  return ip.ok ? ip.value : undefined;
}

function parsePort(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}
