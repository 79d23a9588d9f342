import type { Result } from "../addr/mod.ts";

/** SPIFFE-ID §2.3: implementations must support 2,048 octets; we take no more. */
export const MAX_SPIFFE_ID = 2048;

/** SPIFFE-ID §2.1. */
export const MAX_TRUST_DOMAIN = 255;

/** A workload's name: `spiffe://<trustDomain><path>`. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** `""`, or `/` and segments, as on the wire: there is nothing to decode. */
  readonly path: string;
}

/** Whom a client certificate names. */
export interface UserSpiffeId {
  readonly issuer: string;
  readonly orgId: string;
  readonly userId: string;
}

const SCHEME = "spiffe://";
/** SPIFFE-ID §2.1: no upper case, no userinfo, no port, no percent-encoding, no IPv6 literal. */
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
/** SPIFFE-ID §2.2: unreserved characters but "~", and no percent-encoding. */
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/**
 * Parses a SPIFFE ID by the SPIFFE-ID standard, §2.
 *
 * Where the standard and its implementations differ, the strict reading wins, so that two texts
 * are the same identity only when they are the same octets: scheme and trust domain in upper case
 * are refused (§2.4 would compare them without case), and so is more than {@link MAX_SPIFFE_ID}.
 *
 * @example
 * ```ts
 * import { parseSpiffeId } from "./spiffe.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseSpiffeId("spiffe://example.org/billing/web"), {
 *   ok: true,
 *   value: { trustDomain: "example.org", path: "/billing/web" },
 * });
 * assert.equal(parseSpiffeId("spiffe://example.org/a/../b").ok, false);
 * ```
 */
export function parseSpiffeId(text: string): Result<SpiffeId> {
  // Characters are octets here: the first of more than one octet is refused below.
  if (text.length > MAX_SPIFFE_ID) return failure(`it is over ${MAX_SPIFFE_ID} octets`);
  if (!text.startsWith(SCHEME)) return failure(`it does not start with ${SCHEME}`);
  const slash = text.indexOf("/", SCHEME.length);
  const trustDomain = text.slice(SCHEME.length, slash < 0 ? undefined : slash);
  const issuer = parseTrustDomain(trustDomain);
  if (!issuer.ok) return issuer;
  if (slash < 0) return { ok: true, value: { trustDomain, path: "" } };
  const path = text.slice(slash);
  for (const segment of path.slice(1).split("/")) {
    if (segment === "") return failure("a path segment is empty");
    if (segment === "." || segment === "..") return failure("a path segment is a dot segment");
    if (!SEGMENT.test(segment)) return failure("a character is not allowed in a path");
  }
  return { ok: true, value: { trustDomain, path } };
}

/**
 * Parses the shape of a user's identity, `spiffe://<issuer>/orgs/<org-id>/users/<user-id>`, and
 * nothing longer or shorter.
 */
export function parseUserSpiffeId(text: string): Result<UserSpiffeId> {
  const id = parseSpiffeId(text);
  if (!id.ok) return id;
  const [, orgs, orgId, users, userId, ...rest] = id.value.path.split("/");
  if (orgs !== "orgs" || users !== "users" || !orgId || !userId || rest.length > 0) {
    return failure("the path is not /orgs/<org-id>/users/<user-id>");
  }
  return { ok: true, value: { issuer: id.value.trustDomain, orgId, userId } };
}

/** Checks the name of an issuer, that is a trust domain, in an identity or as an operator writes it. */
export function parseTrustDomain(text: string): Result<string> {
  if (text === "") return failure("the trust domain is empty");
  if (text.length > MAX_TRUST_DOMAIN) {
    return failure(`the trust domain is over ${MAX_TRUST_DOMAIN} octets`);
  }
  return TRUST_DOMAIN.test(text)
    ? { ok: true, value: text }
    : failure("a trust domain has lower-case letters, digits, dots, - and _");
}

function failure(reason: string): Result<never> {
  return { ok: false, reason };
}
