import { parseHostname } from "../addr/mod.ts";
import type { Cursor } from "../wire/mod.ts";

/** What an extension says, or why the hello is refused. */
export type Extension<T> = { readonly value: T } | { readonly reason: string };

/** RFC 6066 §3. */
const NAME_TYPE_HOST_NAME = 0;
/** 253 characters and the trailing dot that is forgiven; more is not even decoded. */
const MAX_HOST_NAME = 254;

/** The host name of a `server_name` extension (RFC 6066 §3); `undefined` if it lists other types. */
export function readServerName(body: Cursor): Extension<string | undefined> {
  const list = body.vector16();
  if (list === undefined || body.remaining > 0) return refuse("server_name has a wrong length");
  if (list.remaining === 0) return refuse("server_name lists nothing");
  let name: string | undefined;
  while (list.remaining > 0) {
    const type = list.u8();
    const length = list.u16();
    const octets = length === undefined ? undefined : list.take(length);
    if (octets === undefined) return refuse("a name in server_name has a wrong length");
    if (type !== NAME_TYPE_HOST_NAME) continue;
    if (name !== undefined) return refuse("server_name lists two host names");
    const host = readHostName(octets);
    if ("reason" in host) return host;
    name = host.value;
  }
  return { value: name };
}

/** The protocols of an ALPN extension (RFC 7301 §3.1), one character an octet, without GREASE. */
export function readAlpn(body: Cursor): Extension<string[]> {
  const list = body.vector16();
  if (list === undefined || body.remaining > 0) return refuse("ALPN has a wrong length");
  if (list.remaining === 0) return refuse("ALPN lists nothing");
  const value: string[] = [];
  while (list.remaining > 0) {
    const length = list.u8() as number;
    const octets = list.take(length);
    if (octets === undefined) return refuse("a protocol in ALPN has a wrong length");
    if (length === 0) return refuse("a protocol in ALPN is empty");
    if (length === 2 && isGrease((octets[0] as number) << 8 | (octets[1] as number))) continue;
    value.push(latin1(octets));
  }
  return { value };
}

/** Whether a 16-bit value is one of the reserved 0x0a0a, 0x1a1a … 0xfafa (RFC 8701 §2). */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

function readHostName(octets: Uint8Array): Extension<string> {
  if (octets.length > MAX_HOST_NAME) return refuse("the server name is over 253 octets");
  for (const octet of octets) {
    // Told apart from other characters: a NUL cuts a name short in C, which is an attack.
    if (octet === 0) return refuse("the server name holds a NUL");
    if (octet > 0x7f) return refuse("the server name is not ASCII");
  }
  const name = parseHostname(latin1(octets));
  return name.ok ? name : refuse(`the server name is no hostname: ${name.reason}`);
}

/** One character an octet. For a few octets this is faster than a TextDecoder. */
function latin1(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}

function refuse(reason: string): { readonly reason: string } {
  return { reason };
}
