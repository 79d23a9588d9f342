import { parseCertificate } from "./certificate.ts";
import { checkRevocation, type RevocationLists, type RevocationRefusal } from "./crl.ts";
import { type IdentityRefusal, type IdentityResult, readIdentity } from "./identity.ts";

/** A client that presents more than this is not one of ours. */
const MAX_CHAIN = 16;

/** The parts of node:tls's `TLSSocket` that tell who the peer is. */
export interface TlsPeer {
  readonly authorized: boolean;
  readonly authorizationError: unknown;
  getPeerCertificate(detailed: boolean): unknown;
}

/** Settings of {@link identifyPeer}. */
export interface PeerOptions {
  /** The trust domain that every identity must have. */
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly revocationLists?: RevocationLists;
}

/** An identity, or one refusal with its reason. */
export type PeerResult =
  | Extract<IdentityResult, { ok: true }>
  | {
    readonly ok: false;
    readonly reason: IdentityRefusal | RevocationRefusal;
    readonly detail?: string;
  };

/**
 * Decides who is at the other end of a finished handshake. The server asks for a certificate
 * (`requestCert`) but lets every handshake pass (`rejectUnauthorized: false`), so that the refusal
 * can be logged with its reason and counted; nothing may be read before this answers.
 *
 * Deno's `authorizationError` is the same for most failures; the certificate itself, though
 * untrusted, tells the operator whether it has merely expired.
 */
export function identifyPeer(peer: TlsPeer, options: PeerOptions): PeerResult {
  const lists = options.revocationLists;
  // The whole chain costs ten times as much as the leaf (0.3 ms): read it only where it is used.
  const chain = presentedChain(peer.getPeerCertificate(lists !== undefined && lists.size > 0));
  const [leaf] = chain;
  if (leaf === undefined) return { ok: false, reason: "no_certificate" };
  if (peer.authorized !== true) return explainUntrusted(leaf, peer, options.nowMs);
  if (chain.length > MAX_CHAIN) {
    return { ok: false, reason: "untrusted", detail: "the chain is too long" };
  }
  const result = readIdentity(leaf, options);
  if (!result.ok || lists === undefined) return result;
  const reason = checkRevocation(chain, { lists, nowMs: options.nowMs });
  return reason === undefined ? result : { ok: false, reason };
}

function explainUntrusted(leaf: Uint8Array, peer: TlsPeer, nowMs: number): PeerResult {
  const parsed = parseCertificate(leaf);
  if (!parsed.ok) return { ok: false, reason: "malformed_certificate", detail: parsed.reason };
  if (nowMs > parsed.value.notAfter) return { ok: false, reason: "expired" };
  if (nowMs < parsed.value.notBefore) return { ok: false, reason: "not_yet_valid" };
  const { authorizationError } = peer;
  return {
    ok: false,
    reason: "untrusted",
    ...typeof authorizationError === "string" && { detail: authorizationError },
  };
}

/** The DER of what the peer presented, leaf first; empty when there was no certificate. */
export function presentedChain(certificate: unknown): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next = certificate;
  while (typeof next === "object" && next !== null && chain.length <= MAX_CHAIN) {
    const { raw, issuerCertificate } = next as { raw?: unknown; issuerCertificate?: unknown };
    if (!(raw instanceof Uint8Array)) break;
    chain.push(raw);
    // The root is its own issuer.
    if (issuerCertificate === next) break;
    next = issuerCertificate;
  }
  return chain;
}
