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

/** Every value of a field, in order. */
export function fieldValues(fields: Fields, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) values.push(fields[i + 1] ?? "");
  }
  return values;
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

/** The members of a comma-separated list, lower case, over all fields of that name. */
export function listMembers(fields: Fields, name: string): string[] {
  return fieldValues(fields, name)
    .flatMap((value) => value.split(","))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== "");
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
 * Turns the raw fields of an HTTP/1.1 message into end-to-end fields: names in lower case, without
 * hop-by-hop fields and without those that `Connection` names. Framing fields cannot be shed that
 * way by a stranger: the parser has acted on them before.
 */
export function endToEndFields(raw: readonly string[]): string[] {
  const lower: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    lower.push((raw[i] as string).toLowerCase(), raw[i + 1] as string);
  }
  const named = new Set(listMembers(lower, "connection"));
  const fields = filterFields(
    lower,
    (name) => !HOP_BY_HOP.has(name) && (!named.has(name) || END_TO_END.has(name)),
  );
  if (listMembers(lower, "te").some((member) => member.split(";", 1)[0] === "trailers")) {
    fields.push("te", "trailers");
  }
  return fields;
}

/**
 * Not to be removed by a `Connection` field: a client could so take away what this hop or one
 * behind it relies on (as `Connection: close, X-Forwarded-For` did to several servers).
 */
const END_TO_END: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "content-encoding",
  "cookie",
  "authorization",
  "cache-control",
  "user-agent",
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
