import { checkTlsPair, coversHost, readAuthorities } from "../certificates/mod.ts";
import { verifySignature } from "../x509/mod.ts";
import { AcmeError } from "./error.ts";

/** A clock of ours or of the CA may be off by so much. */
const CLOCK_SKEW_MS = 3_600_000;

/**
 * Whether a CA's chain is what was asked for: it belongs to the key, each certificate is signed by the
 * next, the first names every name and is good now.
 * Gives when.
 *
 * @throws {AcmeError} `malformed`
 */
export function checkIssued(
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
  { names, nowMs }: { readonly names: readonly string[]; readonly nowMs: number },
): { readonly notBeforeMs: number; readonly notAfterMs: number; readonly issuer: string } {
  const refuse = (why: string): never => {
    throw new AcmeError("malformed", `the CA's certificate is not used: ${why}`);
  };
  const check = checkTlsPair(certPem, keyPem);
  if (!check.ok) {
    return refuse(check.faults.map(({ part, reason }) => `the ${part} ${reason}`).join("; "));
  }
  const { leaf } = check;
  const chain = readAuthorities(certPem);
  if (!chain.ok) return refuse(chain.reason);
  const { certificates } = chain.authorities;
  for (const [i, { certificate }] of certificates.entries()) {
    const issuer = certificates[i + 1];
    if (issuer === undefined) break;
    const isSigned = certificate.issuer === issuer.certificate.subject &&
      verifySignature(certificate.signature, issuer.key);
    if (!isSigned) refuse(`certificate ${i + 1} of the chain is not signed by the next`);
  }
  for (const name of names) {
    if (!coversHost(leaf, name)) refuse(`it does not name ${name}`);
  }
  const notBeforeMs = leaf.validFromDate.getTime();
  const notAfterMs = leaf.validToDate.getTime();
  if (notAfterMs <= nowMs) refuse(`it ended at ${leaf.validToDate.toISOString()}`);
  if (notBeforeMs > nowMs + CLOCK_SKEW_MS) {
    refuse(`it begins at ${leaf.validFromDate.toISOString()}: compare the clocks`);
  }
  const issuer = /(?:^|\n)CN=(.*)/.exec(leaf.issuer)?.[1] ?? leaf.issuer.replaceAll("\n", ", ");
  return { notBeforeMs, notAfterMs, issuer };
}
