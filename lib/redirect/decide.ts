import { hostOfAuthority } from "../l7/mod.ts";
import type { RequestHead } from "../http/mod.ts";

/** What stands before the token of a proof (RFC 8555 §8.3). */
export const PROOF_PATH = "/.well-known/acme-challenge/";

const HTTPS_PORT = 443;

/** What a decision looks at. */
export interface Sights {
  /** The port of `https` for a name that this client may go to; absent: there is none. */
  readonly httpsPort: (name: string) => number | undefined;
  /** What proves a name to whoever asks for this token; absent: it is not pending. */
  readonly proof: (name: string, token: string) => string | undefined;
}

/** What becomes of a request. */
export type Decision =
  | { readonly kind: "redirect"; readonly name: string; readonly location: string }
  | { readonly kind: "proof"; readonly name: string; readonly keyAuthorization: string }
  | {
    readonly kind: "refuse";
    readonly name: string;
    readonly status: number;
    readonly reason: string;
  }
  /** Not one octet is said to whoever asks for what is not here. */
  | { readonly kind: "reset"; readonly name: string | undefined; readonly reason: string };

/**
 * Decides about a request. The name comes from its authority and counts only if a route has it: a
 * redirect to whatever a `Host` says would lead the users of anybody who can set one (a cache, a link
 * in a mail that is made of it) to any place. So what is sent back is the canonical name that was
 * looked up, never the octets that came, and the port is the listener's or the operator's, never the
 * client's. The target is sent back as it came: whatever was encoded stays so, once.
 *
 * Names without a route end as those in a ClientHello do, with a RST: who does not know a name learns
 * nothing. A route for whatever name comes is none here, because any `Host` would be its.
 *
 * @example
 * ```ts
 * import { decide } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const head = {
 *   ...{ method: "GET", scheme: "https", authority: "WWW.example.net:80", path: "/%2F?q" },
 *   ...{ protocol: "", fields: [], contentLength: -1 },
 * };
 * const decision = decide(head, { httpsPort: () => 8443, proof: () => undefined });
 * assert.deepEqual(decision, {
 *   kind: "redirect",
 *   name: "www.example.net",
 *   location: "https://www.example.net:8443/%2F?q",
 * });
 * ```
 */
export function decide(
  { method, authority, path }: Pick<RequestHead, "method" | "authority" | "path">,
  { httpsPort, proof }: Sights,
): Decision {
  // No IP address is one, nor anything with user information.
  const name = hostOfAuthority(authority);
  if (name === undefined) return { kind: "reset", name, reason: "the request names no host" };
  const keyAuthorization = method === "GET" || method === "HEAD"
    ? proofAt(path, (token) => proof(name, token))
    : undefined;
  if (keyAuthorization !== undefined) return { kind: "proof", name, keyAuthorization };
  const port = httpsPort(name);
  if (port === undefined) return { kind: "reset", name, reason: "no l7 route for this name" };
  // RFC 9110 §9.3.6 and RFC 9112 §3.2.4: neither has a target that a Location could hold.
  if (!path.startsWith("/")) {
    const what = method === "CONNECT"
      ? "CONNECT is for forward proxies"
      : "a target that is no path";
    return { kind: "refuse", name, status: 501, reason: what };
  }
  const host = port === HTTPS_PORT ? name : `${name}:${port}`;
  return { kind: "redirect", name, location: `https://${host}${path}` };
}

/** The path is exactly what the authority asks for: no query, no other spelling of it. */
function proofAt(
  path: string,
  proof: (token: string) => string | undefined,
): string | undefined {
  return path.startsWith(PROOF_PATH) ? proof(path.slice(PROOF_PATH.length)) : undefined;
}
