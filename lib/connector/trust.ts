import {
  type Authority,
  authorityOf,
  type Certificate,
  checkRevocation,
  KEY_USAGE,
  type RevocationLists,
  type RevocationRefusal,
  type UriConstraints,
} from "../x509/mod.ts";
import { TrustMemory } from "./trust_memory.ts";

/**
 * Signatures that one look at a chain may cost, milliseconds each: one for every certificate, and one
 * more for each authority of the same name that did not sign it.
 */
const MAX_SIGNATURES = 12;

/** RFC 5280 §4.2.1.12. */
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** What clients are held against, today. */
export interface Trust {
  readonly authorities: readonly Authority[];
  readonly revocationLists?: RevocationLists | undefined;
  /** Makes repeated looks cheap. */
  readonly memory?: TrustMemory | undefined;
}

/** Why a chain does not hold. */
export type TrustRefusal =
  | RevocationRefusal
  | "untrusted"
  | "malformed_certificate"
  | "expired"
  | "not_yet_valid";

/** A chain holds until `notAfter`, in milliseconds since 1970, or why it does not. */
export type TrustResult =
  | { readonly ok: true; readonly notAfter: number }
  | { readonly ok: false; readonly reason: TrustRefusal; readonly detail?: string };

/**
 * Whether a chain, leaf first, is good now: it ends at one of the authorities, every certificate of
 * that path is valid, every issuer may issue (RFC 5280 §6.1), and no list revokes any of it. All of
 * it is looked at for each session, resumed or not, and again when authorities or lists change:
 * what TLS has verified belongs to another moment, and perhaps to another server of this worker.
 *
 * Stricter than TLS here (rustls), which ignores KeyUsage of issuers and dates of authorities.
 */
export function checkTrust(
  chain: readonly Certificate[],
  { authorities, revocationLists, memory = new TrustMemory(), nowMs }: Trust & {
    readonly nowMs: number;
  },
): TrustResult {
  const [leaf, ...intermediates] = chain;
  if (leaf === undefined) return { ok: false, reason: "untrusted" };
  const search = new PathSearch({ leaf, intermediates, authorities, memory, nowMs });
  const path = search.run();
  if (!path.ok || revocationLists === undefined) return path;
  const reason = checkRevocation(chain, { lists: revocationLists, nowMs });
  return reason === undefined ? path : { ok: false, reason };
}

interface SearchOptions {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly authorities: readonly Authority[];
  readonly memory: TrustMemory;
  readonly nowMs: number;
}

/** One step of a path: a certificate and what the steps below it amount to. */
interface Step {
  readonly certificate: Certificate;
  /** Intermediates below it that are not self-issued (RFC 5280 §6.1.4 (l)). */
  readonly below: number;
  /** The earliest end of validity so far. */
  readonly notAfter: number;
  readonly used: readonly Certificate[];
}

/** Walks from the leaf, signature by signature, to an authority; depth first. */
class PathSearch {
  readonly #options: SearchOptions;
  #signatures = 0;
  /** Why the last issuer that fits by name and key was not good enough. */
  #refusal: Extract<TrustResult, { ok: false }> = { ok: false, reason: "untrusted" };

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  run(): TrustResult {
    const { leaf, nowMs } = this.#options;
    const dates = checkDates(leaf, nowMs);
    if (dates !== undefined) return { ok: false, reason: dates };
    const [unknown] = leaf.unknownCritical;
    if (unknown !== undefined) return untrusted(`its critical extension ${unknown} is unknown`);
    const notAfter = this.#climb({
      certificate: leaf,
      below: 0,
      notAfter: leaf.notAfter,
      used: [],
    });
    return notAfter === undefined ? this.#refusal : { ok: true, notAfter };
  }

  /** When the path above this step ends to be valid; `undefined`: there is none. */
  #climb(step: Step): number | undefined {
    for (const authority of this.#options.authorities) {
      if (authority.certificate.subject !== step.certificate.issuer) continue;
      if (!this.#isSignedBy(step.certificate, authority)) continue;
      const problem = this.#problemOf(authority.certificate, step);
      if (problem === undefined) return Math.min(step.notAfter, authority.certificate.notAfter);
      this.#refusal = problem;
    }
    for (const certificate of this.#options.intermediates) {
      if (step.used.includes(certificate)) continue;
      if (certificate.subject !== step.certificate.issuer) continue;
      const authority = readAuthority(certificate);
      if (authority === undefined || !this.#isSignedBy(step.certificate, authority)) continue;
      const problem = this.#problemOf(certificate, step);
      if (problem !== undefined) {
        this.#refusal = problem;
        continue;
      }
      const isSelfIssued = certificate.subject === certificate.issuer;
      const notAfter = this.#climb({
        certificate,
        below: step.below + (isSelfIssued ? 0 : 1),
        notAfter: Math.min(step.notAfter, certificate.notAfter),
        used: [...step.used, certificate],
      });
      if (notAfter !== undefined) return notAfter;
    }
    return undefined;
  }

  #isSignedBy(certificate: Certificate, authority: Authority): boolean {
    if (this.#signatures++ >= MAX_SIGNATURES) return false;
    return this.#options.memory.isSignedBy(certificate, authority);
  }

  /** Why a certificate that signed the step below must not have (RFC 5280 §6.1.4). */
  #problemOf(issuer: Certificate, { below }: Step) {
    const dates = checkDates(issuer, this.#options.nowMs);
    if (dates !== undefined) return { ok: false, reason: dates, detail: "an issuer" } as const;
    const { isAuthority, keyUsage, extendedKeyUsage, uriConstraints } = issuer;
    const { pathLength = Infinity } = issuer;
    if (!isAuthority) return untrusted("an issuer is not an authority");
    if (keyUsage?.(KEY_USAGE.keyCertSign) === false) {
      return untrusted("an issuer may not sign certificates (KeyUsage)");
    }
    if (extendedKeyUsage?.includes(CLIENT_AUTH) === false) {
      return untrusted("an issuer may not issue for clients (ExtendedKeyUsage)");
    }
    if (below > pathLength) return untrusted("the path is longer than an issuer allows");
    const [unknown] = issuer.unknownCritical;
    if (unknown !== undefined) {
      return untrusted(`an issuer's critical extension ${unknown} is unknown`);
    }
    const { uris } = this.#options.leaf;
    if (uriConstraints && !uris.every((uri) => allows(uriConstraints, uri))) {
      return untrusted("an issuer's NameConstraints exclude the URI");
    }
    return undefined;
  }
}

function untrusted(detail: string) {
  return { ok: false, reason: "untrusted", detail } as const;
}

function checkDates(
  { notBefore, notAfter }: Certificate,
  nowMs: number,
): "expired" | "not_yet_valid" | undefined {
  if (nowMs > notAfter) return "expired";
  return nowMs < notBefore ? "not_yet_valid" : undefined;
}

function readAuthority(certificate: Certificate): Authority | undefined {
  try {
    return authorityOf(certificate);
  } catch {
    return undefined; // A key of a kind that nobody here verifies with.
  }
}

/** RFC 5280 §4.2.1.10: a leading dot stands for every subdomain, anything else for one host. */
function allows({ permitted, excluded }: UriConstraints, uri: Uint8Array): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@]+)(?:[/?#]|$)/i
    .exec(String.fromCharCode(...uri))?.[1]?.toLowerCase();
  // "If the URI does not include an authority component, […] the certificate MUST be rejected."
  if (host === undefined) return false;
  const matches = (constraint: string) =>
    constraint.startsWith(".") ? host.endsWith(constraint) : host === constraint;
  return !excluded.some(matches) && (permitted?.some(matches) ?? true);
}
