import { Cursor } from "../wire/mod.ts";
import { AcmeTlsError } from "./error.ts";

/** NamedGroups (RFC 8446 §4.2.7) that can be agreed on, the better one first. */
export const GROUPS = { x25519: 0x001d, secp256r1: 0x0017 } as const;
/** What a group's share is long. */
const SHARE_BYTES: Readonly<Record<number, number>> = { 0x001d: 32, 0x0017: 65 };

/** TLS_AES_128_GCM_SHA256: everybody who speaks TLS 1.3 has it (RFC 8446 §9.1). */
export const CIPHER_SUITE = 0x1301;
/** ecdsa_secp256r1_sha256. */
export const SIGNATURE_SCHEME = 0x0403;
export const TLS_1_3 = 0x0304;

/** IANA "TLS ExtensionType Values". */
export const EXTENSION = {
  supportedGroups: 10,
  signatureAlgorithms: 13,
  alpn: 16,
  supportedVersions: 43,
  keyShare: 51,
} as const;

/** What a client offers, as far as it matters here. */
export interface Offer {
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  /** Of {@link GROUPS}, those it can do, the better one first. */
  readonly groups: readonly number[];
  /** By group; those of no known group are left out. */
  readonly shares: ReadonlyMap<number, Uint8Array>;
}

/**
 * Reads a ClientHello message (RFC 8446 §4.1.2), header included.
 *
 * @throws {AcmeTlsError} if it is malformed, or offers nothing that we can do.
 */
export function readOffer(message: Uint8Array): Offer {
  const cursor = new Cursor(message, 4);
  cursor.u16();
  const random = need(cursor.take(32));
  const session = need(cursor.vector8());
  const sessionId = need(session.take(session.remaining));
  const suites = numbers(cursor.vector16());
  const compression = need(cursor.vector8());
  // RFC 8446 §4.1.2: exactly one octet, zero.
  if (compression.remaining !== 1 || compression.u8() !== 0) throw malformed();
  const extensions = readExtensions(need(cursor.vector16()));
  if (cursor.remaining > 0 || sessionId.length > 32) throw malformed();
  const versions = numbers(extensions.get(EXTENSION.supportedVersions)?.vector8());
  if (!versions.includes(TLS_1_3)) throw new AcmeTlsError("the client does not speak TLS 1.3");
  if (!suites.includes(CIPHER_SUITE)) {
    throw new AcmeTlsError("the client does not offer TLS_AES_128_GCM_SHA256");
  }
  const schemes = numbers(extensions.get(EXTENSION.signatureAlgorithms)?.vector16());
  if (!schemes.includes(SIGNATURE_SCHEME)) {
    throw new AcmeTlsError("the client does not offer ecdsa_secp256r1_sha256");
  }
  const supported = numbers(extensions.get(EXTENSION.supportedGroups)?.vector16());
  const groups = Object.values(GROUPS).filter((group) => supported.includes(group));
  if (groups.length === 0) throw new AcmeTlsError("the client offers neither X25519 nor P-256");
  const shares = readShares(need(extensions.get(EXTENSION.keyShare)?.vector16()));
  // RFC 8446 §4.2.8: no share for a group that is not in supported_groups.
  for (const group of shares.keys()) if (!supported.includes(group)) throw malformed();
  return { random, sessionId, groups, shares };
}

function readExtensions(list: Cursor): ReadonlyMap<number, Cursor> {
  const found = new Map<number, Cursor>();
  while (list.remaining > 0) {
    const type = need(list.u16());
    const body = need(list.vector16());
    // RFC 8446 §4.2: "There MUST NOT be more than one extension of the same type".
    if (found.has(type)) throw malformed();
    found.set(type, body);
  }
  return found;
}

function readShares(list: Cursor): ReadonlyMap<number, Uint8Array> {
  const shares = new Map<number, Uint8Array>();
  const seen = new Set<number>();
  while (list.remaining > 0) {
    const group = need(list.u16());
    const body = need(list.vector16());
    const share = need(body.take(body.remaining));
    if (seen.has(group) || share.length === 0) throw malformed();
    seen.add(group);
    const length = SHARE_BYTES[group];
    if (length === undefined) continue;
    if (share.length !== length) throw malformed();
    shares.set(group, share);
  }
  return shares;
}

/** A vector of 16-bit numbers, which fills its length. */
function numbers(list: Cursor | undefined): number[] {
  const cursor = need(list);
  const found: number[] = [];
  while (cursor.remaining > 0) found.push(need(cursor.u16()));
  return found;
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw malformed();
  return value;
}

function malformed(): AcmeTlsError {
  return new AcmeTlsError("the ClientHello is malformed");
}
