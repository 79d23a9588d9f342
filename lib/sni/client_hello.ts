import { Cursor, type Decoded, invalid, ok } from "../wire/mod.ts";
import { readAlpn, readServerName } from "./_extensions.ts";
import { HANDSHAKE_HEADER, MAX_CLIENT_HELLO, RecordWalk } from "./_records.ts";

export { MAX_CLIENT_HELLO };

/** The parts of a ClientHello that choose a route. */
export interface ClientHello {
  /**
   * Canonical: lower case, no trailing dot. Absent if the client named no host. With Encrypted Client
   * Hello it is the outer name.
   */
  readonly serverName?: string;
  /** Application protocols in the client's order, one character an octet, without GREASE. */
  readonly alpn: readonly string[];
}

type HelloInMaking = { -readonly [K in keyof ClientHello]: ClientHello[K] };

/** legacy_version and random (RFC 8446 §4.1.2). */
const VERSION_AND_RANDOM = 2 + 32;
const MAX_SESSION_ID = 32;

/** IANA "TLS ExtensionType Values". */
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;

/**
 * Reads the ClientHello at the start of a client's stream, given whole. While it grows, use a
 * {@link ClientHelloReader}: it does not start over with each segment. What is refused and why: see
 * the module's documentation.
 *
 * @example
 * ```ts
 * import { parseClientHello } from "./client_hello.ts";
 * import { buildClientHello } from "../../tests/support/hello.ts";
 * import assert from "node:assert/strict";
 *
 * const octets = buildClientHello({ serverName: "Www.Example.net", alpn: ["h2"] });
 * assert.equal(parseClientHello(octets.subarray(0, 100)).kind, "need");
 * const hello = parseClientHello(octets);
 * assert(hello.kind === "ok");
 * assert.equal(hello.value.serverName, "www.example.net");
 * assert.equal(parseClientHello(new TextEncoder().encode("GET / HTTP/1.1\r\n")).kind, "invalid");
 * ```
 */
export function parseClientHello(bytes: Uint8Array): Decoded<ClientHello> {
  return new ClientHelloReader().read(bytes);
}

/**
 * Reads one client's ClientHello while it arrives, in any number of TCP segments and TLS records.
 * The answers are those of {@link parseClientHello}.
 */
export class ClientHelloReader {
  readonly #walk = new RecordWalk();

  /**
   * `bytes` is everything received so far, in the same order as before; it may have moved to a
   * larger array. `size` is where the hello's last record ends; what follows (early data) is not
   * looked at.
   */
  read(bytes: Uint8Array): Decoded<ClientHello> {
    const message = this.#walk.find(bytes);
    return message.kind === "ok" ? readMessage(message.value, message.size) : message;
  }
}

function readMessage(message: Uint8Array, size: number): Decoded<ClientHello> {
  const cursor = new Cursor(message, HANDSHAKE_HEADER);
  if (!cursor.skip(VERSION_AND_RANDOM)) return invalid("the ClientHello is cut");
  const problem = skipNegotiation(cursor);
  if (problem !== undefined) return invalid(problem);
  const hello: HelloInMaking = { alpn: [] };
  // RFC 5246 §7.4.1.2: up to TLS 1.2 a hello may end without extensions.
  if (cursor.remaining > 0) {
    const problem = readExtensions(cursor, hello);
    if (problem !== undefined) return invalid(problem);
  }
  return ok(hello, size);
}

/** Steps over session_id, cipher_suites and compression_methods (RFC 5246 §7.4.1.2). */
function skipNegotiation(cursor: Cursor): string | undefined {
  const session = cursor.u8();
  if (session === undefined || session > MAX_SESSION_ID || !cursor.skip(session)) {
    return "session_id has a wrong length";
  }
  const ciphers = cursor.u16();
  if (ciphers === undefined || ciphers < 2 || ciphers % 2 !== 0 || !cursor.skip(ciphers)) {
    return "cipher_suites has a wrong length";
  }
  const compression = cursor.u8();
  if (compression === undefined || compression < 1 || !cursor.skip(compression)) {
    return "compression_methods has a wrong length";
  }
  return undefined;
}

/** Fills `hello` from the extensions; returns why the hello is refused, if it is. */
function readExtensions(cursor: Cursor, hello: HelloInMaking): string | undefined {
  const extensions = cursor.vector16();
  if (extensions === undefined || cursor.remaining > 0) return "extensions have a wrong length";
  let seen = 0;
  while (extensions.remaining > 0) {
    const type = extensions.u16();
    const bit = bitOf(type);
    if (bit === 0) {
      const length = extensions.u16();
      if (length === undefined || !extensions.skip(length)) return "an extension is cut";
      continue;
    }
    const body = extensions.vector16();
    if (body === undefined) return "an extension is cut";
    // RFC 8446 §4.2: "There MUST NOT be more than one extension of the same type".
    if ((seen & bit) !== 0) return `extension ${type} is repeated`;
    seen |= bit;
    const problem = readExtension(type, body, hello);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A distinct bit for each extension that is read, 0 for the others. */
function bitOf(type: number | undefined): number {
  switch (type) {
    case EXTENSION_SERVER_NAME:
      return 1;
    case EXTENSION_ALPN:
      return 2;
    default:
      return 0;
  }
}

function readExtension(
  type: number | undefined,
  body: Cursor,
  hello: HelloInMaking,
): string | undefined {
  switch (type) {
    case EXTENSION_SERVER_NAME: {
      const name = readServerName(body);
      if ("reason" in name) return name.reason;
      if (name.value !== undefined) hello.serverName = name.value;
      return undefined;
    }
    default: {
      const alpn = readAlpn(body);
      if ("reason" in alpn) return alpn.reason;
      hello.alpn = alpn.value;
      return undefined;
    }
  }
}
