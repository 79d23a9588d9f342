import { concat } from "../wire/mod.ts";
import { EMPTY, uint, vector } from "./octets.ts";

/** Of SHA-256. */
export const HASH_BYTES = 32;
const KEY_BYTES = 16;
const NONCE_BYTES = 12;

/** SHA-256. */
export async function hash(...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

/** HMAC-SHA-256, which is also HKDF-Extract (RFC 5869 §2.2) with the salt as its key. */
export async function hmac(key: Uint8Array, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  // An empty key is as good as one of zeroes (RFC 2104 §2), which WebCrypto does not know.
  const raw = key.length === 0 ? new Uint8Array(HASH_BYTES) : new Uint8Array(key);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, new Uint8Array(data)));
}

/** HKDF-Expand-Label (RFC 8446 §7.1) of at most one block. */
export async function expandLabel(
  secret: Uint8Array,
  { label, context = EMPTY, length }: {
    readonly label: string;
    readonly context?: Uint8Array;
    readonly length: number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const name = new TextEncoder().encode(`tls13 ${label}`);
  const info = concat(uint(2, length), vector(1, name), vector(1, context));
  const block = await hmac(secret, concat(info, Uint8Array.of(1)));
  return block.slice(0, length);
}

/** Derive-Secret (RFC 8446 §7.1), given the hash of the transcript. */
export function deriveSecret(
  secret: Uint8Array,
  label: string,
  transcript: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return expandLabel(secret, { label, context: transcript, length: HASH_BYTES });
}

/** The secrets of a handshake (RFC 8446 §7.1). */
export interface HandshakeSecrets {
  readonly handshake: Uint8Array;
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/** From the shared secret and the hash of ClientHello … ServerHello. */
export async function handshakeSecrets(
  shared: Uint8Array,
  transcript: Uint8Array,
): Promise<HandshakeSecrets> {
  const zeroes = new Uint8Array(HASH_BYTES);
  const early = await hmac(EMPTY, zeroes);
  const handshake = await hmac(await deriveSecret(early, "derived", await hash()), shared);
  return {
    handshake,
    client: await deriveSecret(handshake, "c hs traffic", transcript),
    server: await deriveSecret(handshake, "s hs traffic", transcript),
  };
}

/** What the server writes application data (and its last alert) with, after its Finished. */
export async function serverTrafficSecret(
  handshake: Uint8Array,
  transcript: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const derived = await deriveSecret(handshake, "derived", await hash());
  const master = await hmac(derived, new Uint8Array(HASH_BYTES));
  return await deriveSecret(master, "s ap traffic", transcript);
}

/** verify_data of a Finished (RFC 8446 §4.4.4). */
export async function finishedData(
  secret: Uint8Array,
  transcript: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await expandLabel(secret, { label: "finished", length: HASH_BYTES });
  return await hmac(key, transcript);
}

/** Key and nonce of one direction (RFC 8446 §7.3). */
export async function trafficKeys(
  secret: Uint8Array,
): Promise<{ readonly key: Uint8Array<ArrayBuffer>; readonly iv: Uint8Array<ArrayBuffer> }> {
  return {
    key: await expandLabel(secret, { label: "key", length: KEY_BYTES }),
    iv: await expandLabel(secret, { label: "iv", length: NONCE_BYTES }),
  };
}
