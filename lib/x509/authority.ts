import { createPublicKey, type KeyObject } from "node:crypto";
import { type Certificate, KEY_USAGE, parseCertificate } from "./certificate.ts";
import { DerError } from "./der.ts";

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

/** A certificate whose key may have signed others, or revocation lists. */
export interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/**
 * The certificates in PEM texts, each with one or more.
 *
 * @throws {Error} if one does not parse.
 */
export function parseAuthorities(pems: readonly string[]): Authority[] {
  return pems.flatMap((pem) =>
    [...pem.matchAll(PEM_CERTIFICATE)].map(([, base64 = ""]) => {
      const parsed = parseCertificate(Uint8Array.fromBase64(base64));
      if (!parsed.ok) throw new DerError(parsed.reason);
      return authorityOf(parsed.value);
    })
  );
}

/**
 * A certificate with its key made ready.
 *
 * @throws {Error} if the key is of no kind that is known.
 */
export function authorityOf(certificate: Certificate): Authority {
  return { certificate, key: publicKeyOf(certificate.publicKey) };
}

/**
 * Why an authority's certificate lets nobody in, in words that go behind its name; `undefined` if it
 * does.
 */
export function describeUnfit(
  { isAuthority, keyUsage, notBefore, notAfter }: Certificate,
  nowMs: number,
): string | undefined {
  if (!isAuthority) return "is not of an authority";
  if (keyUsage?.(KEY_USAGE.keyCertSign) === false) return "may not sign certificates (KeyUsage)";
  if (nowMs > notAfter) return `expired at ${new Date(notAfter).toISOString()}`;
  if (nowMs < notBefore) return `is not valid before ${new Date(notBefore).toISOString()}`;
  return undefined;
}

function publicKeyOf(der: Uint8Array): KeyObject {
  // A copy: the runtime takes the whole buffer behind a view (Deno 2.9.6).
  return createPublicKey({ key: new Uint8Array(der) as never, format: "der", type: "spki" });
}
