import { type Certificate, parseCertificate } from "../x509/mod.ts";
import { type IdentityRefusal, type IdentityResult, readIdentity } from "./identity.ts";
import { checkTrust, type Trust, type TrustRefusal, type TrustResult } from "./trust.ts";
import type { TrustMemory } from "./trust_memory.ts";

/** A client that presents more than this is not one of ours. */
const MAX_CHAIN = 16;

/** The parts of node:tls's `TLSSocket` that tell who the peer is. */
export interface TlsPeer {
  readonly authorized: boolean;
  readonly authorizationError: unknown;
  getPeerCertificate(detailed: boolean): unknown;
  isSessionReused(): boolean;
}

/** Settings of {@link identifyPeer}. */
export interface PeerOptions {
  /** The trust domain that every identity must have. */
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly trust: Trust & { readonly memory: TrustMemory };
}

/** An identity, or one refusal with its reason. */
export type PeerResult =
  | Extract<IdentityResult, { ok: true }>
  | {
    readonly ok: false;
    readonly reason: "no_certificate" | IdentityRefusal | TrustRefusal;
    readonly detail?: string;
  };

/**
 * Decides who is at the other end of a finished handshake. The server asks for a certificate
 * (`requestCert`) but lets every handshake pass (`rejectUnauthorized: false`), so that the refusal
 * can be logged with its reason and counted; nothing may be read before this answers.
 *
 * A handshake that resumes a session verifies nothing, and the runtime says `authorized` all the
 * same. So its leaf must be one that a full handshake has verified in this worker, and in every
 * case the chain is held against the authorities, lists and dates of now.
 *
 * Deno's `authorizationError` is the same for most failures; the certificate itself, though
 * untrusted, tells the operator whether it has merely expired.
 */
export function identifyPeer(peer: TlsPeer, { trust, ...options }: PeerOptions): PeerResult {
  // The leaf alone: each further certificate costs a third of a millisecond, and so far a stranger
  // has sent them. It is parsed this once: what is read of it is what the path is walked from.
  const [leaf] = presentedChain(peer.getPeerCertificate(false));
  if (leaf === undefined) return { ok: false, reason: "no_certificate" };
  const parsed = parseCertificate(leaf);
  if (!parsed.ok) return malformed(parsed.reason);
  const certificate = parsed.value;
  if (peer.authorized !== true) return explainUntrusted(certificate, peer, options.nowMs);
  if (!peer.isSessionReused()) trust.memory.addLeaf(leaf);
  else if (!trust.memory.knowsLeaf(leaf)) {
    return { ok: false, reason: "untrusted", detail: "no handshake has verified what it resumes" };
  }
  const result = readIdentity(certificate, options);
  if (!result.ok) return result;
  const [, ...others] = presentedChain(peer.getPeerCertificate(true));
  const held = checkChain([certificate], others, { ...trust, nowMs: options.nowMs });
  if (!held.ok) return held;
  const { identity } = result;
  return { ok: true, identity: { ...identity, notAfter: held.notAfter } };
}

/** Whether a peer that was let in would still be: {@link checkTrust} of what it presented. */
export function recheckPeer(peer: TlsPeer, trust: Trust & { readonly nowMs: number }): TrustResult {
  return checkChain([], presentedChain(peer.getPeerCertificate(true)), trust);
}

/** `parsed`: the beginning of the chain, of which the rest follows. */
function checkChain(
  parsed: readonly Certificate[],
  rest: readonly Uint8Array[],
  trust: Trust & { readonly nowMs: number },
): TrustResult {
  if (parsed.length + rest.length > MAX_CHAIN) {
    return { ok: false, reason: "untrusted", detail: "the chain is too long" };
  }
  const chain = [...parsed];
  for (const der of rest) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return malformed(certificate.reason);
    chain.push(certificate.value);
  }
  return checkTrust(chain, trust);
}

function malformed(detail: string) {
  return { ok: false, reason: "malformed_certificate", detail } as const;
}

function explainUntrusted(leaf: Certificate, peer: TlsPeer, nowMs: number): PeerResult {
  if (nowMs > leaf.notAfter) return { ok: false, reason: "expired" };
  if (nowMs < leaf.notBefore) return { ok: false, reason: "not_yet_valid" };
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
