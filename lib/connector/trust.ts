import { X509Certificate } from "node:crypto";
import { checkRevocation, type RevocationLists, type RevocationRefusal } from "./crl.ts";
import { presentedChain, type TlsPeer } from "./peer.ts";

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What live sessions are held against after authorities or revocation lists were read again. */
export interface Trust {
  readonly authorities: readonly X509Certificate[];
  readonly revocationLists?: RevocationLists;
}

/**
 * The certificates in PEM texts.
 *
 * @throws {Error} if one does not parse.
 */
export function parseAuthorities(pems: readonly string[]): X509Certificate[] {
  return pems.flatMap((pem) =>
    [...pem.matchAll(PEM_CERTIFICATE)].map(([block]) => new X509Certificate(block))
  );
}

/**
 * Whether the certificate of a session that was accepted earlier would still be: its chain ends at
 * one of the authorities, and no list revokes any of it. TLS verified dates, usage and constraints
 * of the chain when the session began, and those do not change with a reload.
 *
 * @returns why not, or `undefined`.
 */
export function checkTrust(
  peer: TlsPeer,
  { authorities, revocationLists, nowMs }: Trust & { readonly nowMs: number },
): RevocationRefusal | "untrusted" | undefined {
  const chain = presentedChain(peer.getPeerCertificate(true));
  if (!isAnchored(chain, authorities)) return "untrusted";
  return revocationLists && checkRevocation(chain, { lists: revocationLists, nowMs });
}

/** Walks from the leaf, signature by signature, to an authority. */
function isAnchored(
  chain: readonly Uint8Array[],
  authorities: readonly X509Certificate[],
): boolean {
  const [leaf, ...issuers] = chain.map((der) => new X509Certificate(der));
  let at = leaf;
  for (let steps = chain.length; at !== undefined && steps > 0; steps--) {
    if (signerOf(at, authorities) !== undefined) return true;
    at = signerOf(at, issuers);
  }
  return false;
}

function signerOf(
  certificate: X509Certificate,
  candidates: readonly X509Certificate[],
): X509Certificate | undefined {
  return candidates.find((candidate) =>
    certificate.issuer === candidate.subject && certificate.verify(candidate.publicKey)
  );
}
