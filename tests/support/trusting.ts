/**
 * A root, what it signs, and what is believed of it.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import {
  checkTrust,
  parseAuthorities,
  type RevocationLists,
  TrustMemory,
} from "../../lib/connector/mod.ts";
import {
  type Authority,
  certificateOf,
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
} from "./certificates.ts";

export const ISSUER = "acme.test";

export const ALICE = `spiffe://${ISSUER}/orgs/acme/users/alice`;

export const NOW = Date.now();

export const HOUR_MS = 3_600_000;

export const root = await createAuthority({ commonName: "root" });

export const derOf = ({ cert }: { cert: x509.X509Certificate }) => new Uint8Array(cert.rawData);

export const parsed = (issued: { cert: x509.X509Certificate }) => certificateOf(derOf(issued));

export function below(authority: Authority): Promise<IssuedCertificate> {
  return issueCertificate(authority, { uris: [ALICE], usages: ["client"] });
}

/** What becomes of a chain: `holds`, or the reason and its detail. */
export function trust(
  chain: readonly { cert: x509.X509Certificate }[],
  { authorities = [root], lists, nowMs = NOW, memory }: {
    authorities?: readonly Authority[];
    lists?: RevocationLists;
    nowMs?: number;
    memory?: TrustMemory;
  } = {},
): string {
  const result = checkTrust(chain.map(parsed), {
    authorities: parseAuthorities(authorities.map(({ certPem }) => certPem)),
    revocationLists: lists,
    memory,
    nowMs,
  });
  return result.ok ? "holds" : [result.reason, result.detail].filter(Boolean).join(": ");
}
