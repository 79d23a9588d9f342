/**
 * Certificates for tests: those of `dev/certificates.ts`, and broken ones.
 *
 * @module
 */
import { type Certificate, parseCertificate } from "../../lib/x509/mod.ts";
import {
  type Authority,
  type CertificateOptions,
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
} from "../../dev/certificates.ts";

export * from "../../dev/certificates.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A certificate and the key of another one. */
export async function issueMismatchedPair(
  authority: Authority,
  options: CertificateOptions,
): Promise<{ certPem: string; keyPem: string }> {
  const { certPem } = await issueCertificate(authority, options);
  const { keyPem } = await issueCertificate(authority, options);
  return { certPem, keyPem };
}

/** Expired yesterday. */
export async function issueExpired(
  authority: Authority,
  options: CertificateOptions,
): Promise<IssuedCertificate> {
  const notAfter = new Date(Date.now() - DAY_MS);
  const notBefore = new Date(notAfter.getTime() - DAY_MS);
  return await issueCertificate(authority, { ...options, notBefore, notAfter });
}

/** Valid from tomorrow on. */
export async function issueNotYetValid(
  authority: Authority,
  options: CertificateOptions,
): Promise<IssuedCertificate> {
  const notBefore = new Date(Date.now() + DAY_MS);
  return await issueCertificate(authority, { ...options, notBefore });
}

/** The first half of a PEM file, as a reader sees it while another process writes it. */
export function halfWritten(pem: string): string {
  return pem.slice(0, pem.length / 2);
}

/** An authority and one server certificate for `dnsNames`: what most tests need. */
export async function createServerIdentity(
  ...dnsNames: string[]
): Promise<IssuedCertificate & { readonly authority: Authority; readonly ca: string }> {
  const authority = await createAuthority({ commonName: "test root" });
  const issued = await issueCertificate(authority, { dnsNames, usages: ["server"] });
  return { ...issued, authority, ca: authority.certPem };
}

/** A certificate that parses. */
export function certificateOf(der: Uint8Array): Certificate {
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}
