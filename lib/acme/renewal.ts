import { X509Certificate } from "node:crypto";
import { DerReader, integerHex, TAG } from "../x509/mod.ts";
import { base64url } from "./keys.ts";
import type { RenewalWindow } from "./resources.ts";

const AUTHORITY_KEY_IDENTIFIER = [0x55, 0x1d, 0x23];
const MINUTE_MS = 60_000;

/** Waits after failures in a row (RFC 8555 leaves them to us; CAs count failures by the hour). */
const BACKOFF_MINUTES = [1, 2, 5, 10, 20, 40, 80, 160, 360];

/** When a certificate is good. */
export interface Lifetime {
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * When to renew: a random point of the CA's window, else when a third of the lifetime is left. A window
 * that ends after the certificate, or has passed, is now.
 *
 * @param random of [0, 1).
 */
export function renewalTime(
  { notBeforeMs, notAfterMs }: Lifetime,
  { window, random }: { readonly window: RenewalWindow | undefined; readonly random: number },
): number {
  const third = Math.round(notAfterMs - (notAfterMs - notBeforeMs) / 3);
  if (window === undefined) return third;
  const { startMs, endMs } = window;
  const chosen = startMs + (endMs - startMs) * random;
  // A CA may want it earlier than we would; later than its own end it cannot mean.
  return Math.round(Math.min(chosen, notAfterMs - (notAfterMs - notBeforeMs) / 10));
}

/**
 * How long to wait after `failures` failures in a row, in milliseconds: 1, 2, 5, 10 minutes … 6 hours,
 * and a tenth more or less, so that names that failed together do not try together. What the CA asks
 * for is the least.
 *
 * @param random of [0, 1).
 */
export function backOff(
  failures: number,
  { random, retryAfterMs = 0 }: { readonly random: number; readonly retryAfterMs?: number },
): number {
  const index = Math.min(Math.max(failures, 1), BACKOFF_MINUTES.length) - 1;
  const ms = (BACKOFF_MINUTES[index] as number) * MINUTE_MS * (0.9 + random / 5);
  return Math.round(Math.max(ms, retryAfterMs));
}

/**
 * How RFC 9773 §4.1 calls a certificate: its authority's key identifier and its serial number. Absent:
 * it has no such identifier.
 */
export function renewalId(certPem: string): string | undefined {
  try {
    const { raw } = new X509Certificate(certPem);
    const octets = new Uint8Array(raw);
    const tbs = new DerReader(octets).inside(TAG.sequence).inside(TAG.sequence);
    tbs.optional(0xa0); // version
    const serial = Uint8Array.fromHex(integerHex(tbs.value(TAG.integer).content));
    for (let i = 0; i < 5; i++) tbs.any(); // algorithm, issuer, validity, subject, key
    const extensions = tbs.optional(0xa3);
    if (extensions === undefined) return undefined;
    const identifier = keyIdentifier(new DerReader(extensions.content).inside(TAG.sequence));
    return identifier && `${base64url(identifier)}.${base64url(serial)}`;
  } catch {
    return undefined;
  }
}

/** AuthorityKeyIdentifier (RFC 5280 §4.2.1.1). */
function keyIdentifier(extensions: DerReader): Uint8Array | undefined {
  while (!extensions.done) {
    const extension = extensions.inside(TAG.sequence);
    const id = extension.value(TAG.oid).content;
    extension.optional(TAG.boolean);
    const value = extension.value(TAG.octetString).content;
    if (id.length !== 3 || AUTHORITY_KEY_IDENTIFIER.some((octet, i) => octet !== id[i])) continue;
    return new DerReader(value).inside(TAG.sequence).optional(0x80)?.content;
  }
  return undefined;
}
