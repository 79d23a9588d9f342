import { createHash } from "node:crypto";
import { type Certificate, KEY_USAGE, MAX_SPIFFE_ID, parseUserSpiffeId } from "../x509/mod.ts";

/** Whom a verified client certificate names, and what logs and the relay need of it. */
export interface ClientIdentity {
  readonly orgId: string;
  readonly userId: string;
  readonly spiffeId: string;
  /** When it ends, or an issuer of its chain does; milliseconds since 1970. */
  readonly notAfter: number;
  /** SHA-256 of the DER as OpenSSL prints it: `AB:CD:…`. */
  readonly fingerprint256: string;
  /** For logs and the SSL TLV of the PROXY protocol only. */
  readonly commonName?: string;
}

/** Why a certificate gives no identity. Stable: they are in logs and counters. */
export type IdentityRefusal =
  | "expired"
  | "not_yet_valid"
  | "authority_certificate"
  | "key_usage"
  | "extended_key_usage"
  | "no_uri"
  | "several_uris"
  | "malformed_spiffe_id"
  | "wrong_issuer";

/** An identity, or the refusal and, for the log, its detail (fixed text, no octet of the peer). */
export type IdentityResult =
  | { readonly ok: true; readonly identity: ClientIdentity }
  | { readonly ok: false; readonly reason: IdentityRefusal; readonly detail?: string };

/** What the certificate is held against. */
export interface IdentityOptions {
  /** The trust domain that every identity must have. */
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** RFC 5280 §4.2.1.12. */
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/**
 * Reads the identity from a leaf certificate whose chain TLS has verified.
 *
 * The rules are those of the X.509-SVID standard, §§4–5: exactly one URI among the alternative
 * names of all kinds (other kinds are ignored), not an authority (Deno's TLS lets a CA certificate
 * from the trust store pass as a leaf), KeyUsage, when present, with digitalSignature and without
 * certificate or list signing. ExtendedKeyUsage, when present, must name clientAuth:
 * anyExtendedKeyUsage does not stand for it, as in Deno's TLS. The validity period is checked here
 * too, because a resumed session does not repeat TLS's check.
 */
export function readIdentity(certificate: Certificate, options: IdentityOptions): IdentityResult {
  const misuse = checkUsage(certificate, options.nowMs);
  if (misuse) return refuse(misuse);

  const [uri, ...others] = certificate.uris;
  if (uri === undefined) return refuse("no_uri");
  if (others.length > 0) return refuse("several_uris");
  const text = asciiText(uri);
  if (text === undefined) return refuse("malformed_spiffe_id", "it is too long or not ASCII text");
  const id = parseUserSpiffeId(text);
  if (!id.ok) return refuse("malformed_spiffe_id", id.reason);
  if (id.value.issuer !== options.issuer) return refuse("wrong_issuer");

  const { commonName, notAfter } = certificate;
  return {
    ok: true,
    identity: {
      orgId: id.value.orgId,
      userId: id.value.userId,
      spiffeId: text,
      notAfter,
      fingerprint256: fingerprint(certificate.der),
      ...commonName !== undefined && { commonName },
    },
  };
}

function checkUsage(certificate: Certificate, nowMs: number): IdentityRefusal | undefined {
  const { keyUsage, extendedKeyUsage } = certificate;
  if (nowMs > certificate.notAfter) return "expired";
  if (nowMs < certificate.notBefore) return "not_yet_valid";
  if (certificate.isAuthority) return "authority_certificate";
  if (keyUsage) {
    const signsOthers = keyUsage(KEY_USAGE.keyCertSign) || keyUsage(KEY_USAGE.cRLSign);
    if (signsOthers || !keyUsage(KEY_USAGE.digitalSignature)) return "key_usage";
  }
  if (extendedKeyUsage && !extendedKeyUsage.includes(CLIENT_AUTH)) return "extended_key_usage";
  return undefined;
}

/**
 * IA5String (RFC 5280 §4.2.1.6) without control characters: octet by octet, so that neither NUL nor
 * a second encoding can hide what follows.
 */
function asciiText(octets: Uint8Array): string | undefined {
  if (octets.length > MAX_SPIFFE_ID) return undefined;
  return octets.every((octet) => octet > 0x20 && octet < 0x7f)
    ? String.fromCharCode(...octets)
    : undefined;
}

function fingerprint(der: Uint8Array): string {
  const hex = createHash("sha256").update(der).digest("hex").toUpperCase();
  return hex.replace(/..(?!$)/g, "$&:");
}

function refuse(reason: IdentityRefusal, detail?: string): IdentityResult {
  return { ok: false, reason, ...detail !== undefined && { detail } };
}
