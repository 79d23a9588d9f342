/**
 * Regular header fields as flat lists of alternating names (lower case) and values: the form in
 * which lib/h2 reads and writes them, so that most requests pass without a copy per field.
 *
 * @module
 */
import type { Fields, ResponseHead } from "../http/mod.ts";

/** The first value of a field; `undefined` if it is absent. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

/** The fields whose names `keep` accepts. */
export function filterFields(fields: Fields, keep: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (keep(name)) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
}

/**
 * Fields that belong to one connection (RFC 9110 §7.6.1), and those that a hop answers for itself.
 * `proxy-*` concern the first proxy of the client's own side (RFC 9110 §11.7), which this is not.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/**
 * A head without a length that its status forbids (RFC 9110 §8.6): clients over HTTP/2 take such a
 * response for malformed.
 */
export function withoutFalseLength(head: ResponseHead): ResponseHead {
  const { status, contentLength, fields } = head;
  if (contentLength < 0 || (status >= 200 && status !== 204 && status !== 205)) return head;
  const kept = filterFields(fields, (name) => name !== "content-length");
  return { ...head, fields: kept, contentLength: -1 };
}

/**
 * Whether a field may come as a trailer. Those that decide on framing, routing, authentication or
 * how the content is read would be believed by nobody who read the head before (RFC 9110 §6.5.1),
 * or, worse, by somebody who merges trailers into the head.
 */
export function isTrailerField(name: string): boolean {
  return !NOT_IN_TRAILERS.has(name) && !HOP_BY_HOP.has(name) && !name.startsWith("x-forwarded-") &&
    !name.startsWith(":");
}

const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "age",
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "expires",
  "forwarded",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "location",
  "max-forwards",
  "pragma",
  "range",
  "retry-after",
  "set-cookie",
  "trailer",
  "vary",
  "via",
  "warning",
  "www-authenticate",
  "x-real-ip",
  "x-request-id",
]);
