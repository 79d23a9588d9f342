import { type Authority, type Certificate, verifySignature } from "../x509/mod.ts";
import { createHash } from "node:crypto";

/**
 * Leaves that are remembered, the newest ones: some 6 MB. Only clients with good certificates add to
 * them. One that is forgotten while its session lives has to wait for that to end.
 */
const MAX_LEAVES = 65_536;
/** Signatures that are remembered; one that is forgotten is verified again. */
const MAX_SIGNATURES = 8192;

/**
 * What one worker has found out about certificates and may rely on later, because it can never
 * become untrue: who signed what, and which leaves TLS has verified in a full handshake.
 *
 * The latter guards resumption. The runtime gives a session to every client, also to one whose
 * certificate it could not verify, and calls it `authorized` when it comes back with that session
 * (Deno 2.9.6). So a resumed session counts only with a leaf that a handshake has verified here:
 * tickets are of one worker, and neither they nor this outlive it.
 */
export class TrustMemory {
  readonly #leaves = new Set<string>();
  readonly #signatures = new Set<string>();

  /** TLS has verified this leaf in a full handshake. */
  addLeaf(der: Uint8Array): void {
    remember(this.#leaves, digestOf(der), MAX_LEAVES);
  }

  /** Whether it did so before; keeps the leaf remembered. */
  knowsLeaf(der: Uint8Array): boolean {
    const digest = digestOf(der);
    if (!this.#leaves.has(digest)) return false;
    remember(this.#leaves, digest, MAX_LEAVES);
    return true;
  }

  /**
   * Whether the authority's key signed the certificate. A signature of P-256 takes a millisecond
   * to verify, as much as a handshake, so those that hold are remembered.
   */
  isSignedBy(certificate: Certificate, { certificate: issuer, key }: Authority): boolean {
    const { signed, algorithm, value } = certificate.signature;
    const digest = digestOf(signed, value, issuer.publicKey, algorithm);
    if (!this.#signatures.has(digest)) {
      if (!verifySignature(certificate.signature, key)) return false;
    }
    remember(this.#signatures, digest, MAX_SIGNATURES);
    return true;
  }
}

function remember(known: Set<string>, digest: string, max: number): void {
  known.delete(digest);
  known.add(digest);
  if (known.size <= max) return;
  for (const oldest of known) {
    known.delete(oldest);
    return;
  }
}

/** Of all parts, none of which can take over octets of its neighbour. */
function digestOf(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("base64");
}
