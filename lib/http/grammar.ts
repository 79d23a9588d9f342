/**
 * The parts of a head that decide where a message goes and where it ends.
 *
 * @module
 */

/** RFC 9110 §5.6.2; also a method (§9.1), whose case matters. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 3986 §3.1. */
const SCHEME = /^[a-z][a-z0-9+\-.]*$/;
/** RFC 3986 §3.2 without user information, which RFC 9113 §8.3.1 forbids. */
const AUTHORITY = /^[A-Za-z0-9\-._~!$&'()*+,;=:%[\]]+$/;
/**
 * Path and query as RFC 9113 §8.3.1 has them: no fragment (CVE-2023-45539: a `#` that two hops read
 * differently), no space or control, nothing beyond ASCII.
 */
const PATH = /^(?:\/[!"$-~]*|\*)$/;
/** 15 digits stay below 2^53. */
const CONTENT_LENGTH = /^[0-9]{1,15}$/;

/** Whether `text` is a token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether `text` may be a method. */
export function isMethod(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether `text` may be a scheme, in lower case. */
export function isScheme(text: string): boolean {
  return SCHEME.test(text);
}

/** Whether `text` may be an authority: host and port, no user information. */
export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}

/** Whether `text` may be a path with a query, or `*`. */
export function isPath(text: string): boolean {
  return PATH.test(text);
}

/** The value of a `content-length`; -1 if it is none. */
export function parseContentLength(value: string): number {
  return CONTENT_LENGTH.test(value) ? Number(value) : -1;
}
