import { failure, type Result, success } from "../addr/mod.ts";
import { type OctetString, octetString } from "../dns/mod.ts";
import { concat, u16 } from "../wire/mod.ts";

/** RFC 4034 §2.1.1: a key of the zone, which others may be led to (SEP). */
const FLAGS = 257;
const PROTOCOL = 3;
/** RFC 6605: ECDSA with the curve P-256 and SHA-256. */
export const ALGORITHM = 13;
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
/** WebCrypto has an octet that says "not compressed" before the point; DNSKEY has not. */
const POINT_AT = 1;

/**
 * What a key of a zone is for.
 *
 * - `published`: it is to be seen before anybody needs it, and parents are told of it (CDS)
 * - `active`: it signs
 * - `retired`: it is still seen, for signatures of it that others remember
 */
export const KEY_ROLES = ["published", "active", "retired"] as const;

/** One of {@link KEY_ROLES}. */
export type KeyRole = typeof KEY_ROLES[number];

/** A key of a zone: one kind for everything, as the zone is signed here and nowhere else. */
export interface ZoneKey {
  readonly role: KeyRole;
  readonly privateKey: CryptoKey;
  /** The data of its DNSKEY record. */
  readonly data: OctetString;
  /** RFC 4034 appendix B: what signatures call it. */
  readonly tag: number;
}

/** A key as it is kept; secret. */
export interface StoredZoneKey {
  readonly role: KeyRole;
  /** PKCS #8, base64. */
  readonly privateKey: string;
  /** The point of the curve, base64. */
  readonly publicKey: string;
}

/** Whether a text is a role. */
export function isKeyRole(text: string): text is KeyRole {
  return (KEY_ROLES as readonly string[]).includes(text);
}

/** Makes a new key. */
export async function createZoneKey(role: KeyRole): Promise<StoredZoneKey> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(CURVE, true, [
    "sign",
    "verify",
  ]);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  return { role, privateKey: pkcs8.toBase64(), publicKey: point.subarray(POINT_AT).toBase64() };
}

/** The key that was kept, if it is one, and its halves belong together. */
export async function importZoneKey(stored: StoredZoneKey): Promise<Result<ZoneKey>> {
  try {
    const pkcs8 = Uint8Array.fromBase64(stored.privateKey) as Uint8Array<ArrayBuffer>;
    const point = Uint8Array.fromBase64(stored.publicKey) as Uint8Array<ArrayBuffer>;
    const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, CURVE, false, ["sign"]);
    const raw = concat(Uint8Array.of(4), point);
    const publicKey = await crypto.subtle.importKey("raw", raw, CURVE, false, ["verify"]);
    const how = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(how, privateKey, point);
    const isPair = await crypto.subtle.verify(how, publicKey, signature, point);
    if (!isPair) return failure("the private and the public key do not belong together");
    const data = concat(u16(FLAGS), Uint8Array.of(PROTOCOL, ALGORITHM), point);
    return success({ role: stored.role, privateKey, data: octetString(data), tag: tagOf(data) });
  } catch {
    return failure("the key is not of ECDSA P-256, in PKCS #8 and base64");
  }
}

/** The same key in another role, to be kept. */
export function exportZoneKey(stored: StoredZoneKey, role: KeyRole): StoredZoneKey {
  return { ...stored, role };
}

/** RFC 4034 appendix B. */
function tagOf(data: Uint8Array): number {
  let sum = 0;
  data.forEach((octet, i) => sum += i % 2 === 0 ? octet << 8 : octet);
  return (sum + (sum >>> 16)) & 0xffff;
}
