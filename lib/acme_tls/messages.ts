import { concat } from "../wire/mod.ts";
import { CIPHER_SUITE, EXTENSION, SIGNATURE_SCHEME, TLS_1_3 } from "./hello.ts";
import { uint, vector } from "./octets.ts";

/** HandshakeType (RFC 8446 §4). */
export const HANDSHAKE = {
  serverHello: 2,
  encryptedExtensions: 8,
  certificate: 11,
  certificateVerify: 15,
  finished: 20,
  messageHash: 254,
} as const;

/** The protocol of the challenge (RFC 8737 §6.2). */
export const ACME_TLS = "acme-tls/1";

/** The `random` that makes a ServerHello a HelloRetryRequest (RFC 8446 §4.1.3). */
const RETRY_RANDOM = Uint8Array.fromHex(
  "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
);

/** A handshake message. */
export function message(type: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(type), vector(3, ...parts));
}

/** ServerHello (RFC 8446 §4.1.3). */
export function serverHello(
  { random, sessionId, group, share }: {
    readonly random: Uint8Array;
    readonly sessionId: Uint8Array;
    readonly group: number;
    readonly share: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  return hello(random, sessionId, concat(uint(2, group), vector(2, share)));
}

/** HelloRetryRequest (RFC 8446 §4.1.4): the client is to come with a share of that group. */
export function helloRetryRequest(
  { sessionId, group }: { readonly sessionId: Uint8Array; readonly group: number },
): Uint8Array<ArrayBuffer> {
  return hello(RETRY_RANDOM, sessionId, uint(2, group));
}

function hello(random: Uint8Array, sessionId: Uint8Array, keyShare: Uint8Array) {
  return message(
    HANDSHAKE.serverHello,
    uint(2, 0x0303),
    random,
    vector(1, sessionId),
    uint(2, CIPHER_SUITE),
    uint(1, 0),
    vector(
      2,
      extension(EXTENSION.supportedVersions, uint(2, TLS_1_3)),
      extension(EXTENSION.keyShare, keyShare),
    ),
  );
}

/** EncryptedExtensions (RFC 8446 §4.3.1): the protocol, and nothing else. */
export function encryptedExtensions(): Uint8Array<ArrayBuffer> {
  const protocol = vector(1, new TextEncoder().encode(ACME_TLS));
  return message(
    HANDSHAKE.encryptedExtensions,
    vector(2, extension(EXTENSION.alpn, vector(2, protocol))),
  );
}

/** Certificate (RFC 8446 §4.4.2) of one certificate. */
export function certificateMessage(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const entry = concat(vector(3, der), vector(2));
  return message(HANDSHAKE.certificate, vector(1), vector(3, entry));
}

/** What a CertificateVerify signs (RFC 8446 §4.4.3). */
export function verifiedContent(transcript: Uint8Array): Uint8Array<ArrayBuffer> {
  const context = new TextEncoder().encode("TLS 1.3, server CertificateVerify");
  return concat(new Uint8Array(64).fill(0x20), context, Uint8Array.of(0), transcript);
}

/** CertificateVerify (RFC 8446 §4.4.3); WebCrypto's signature becomes an ECDSA-Sig-Value. */
export function certificateVerify(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = raw.length / 2;
  const numbers = concat(derNumber(raw.subarray(0, half)), derNumber(raw.subarray(half)));
  const signature = concat(Uint8Array.of(0x30), vector(1, numbers));
  return message(HANDSHAKE.certificateVerify, uint(2, SIGNATURE_SCHEME), vector(2, signature));
}

function extension(type: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(uint(2, type), vector(2, body));
}

/** A non-negative INTEGER in its shortest form (X.690 §8.3.2). */
function derNumber(octets: Uint8Array): Uint8Array<ArrayBuffer> {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const sign = (octets[start] as number) >= 0x80 ? [0] : [];
  return concat(Uint8Array.of(2), vector(1, Uint8Array.from(sign), octets.subarray(start)));
}
