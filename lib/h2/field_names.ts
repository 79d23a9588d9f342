/**
 * What a field's name and octets say about it, found once when the field enters a table and kept
 * with it, so that a repeated field costs nothing to check again.
 *
 * @module
 */
import { NAME_OCTET } from "../http/mod.ts";

/** What the name of a field means to HTTP/2 (RFC 9113 §8.2, §8.3). */
export const FieldKind = Object.freeze({
  ordinary: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  protocol: 5,
  status: 6,
  /** A name that begins with a colon and is none of the above: malformed. */
  unknownPseudo: 7,
  /** A connection-specific field (RFC 9113 §8.2.2): malformed. */
  connection: 8,
  te: 9,
  contentLength: 10,
  host: 11,
  cookie: 12,
});

/** Mask of the kind inside a tag. */
export const KIND_MASK = 0x0f;
/** The name has an octet outside RFC 9110's token or an upper-case letter. */
export const BAD_NAME = 0x10;
/** The value has a control octet, or begins or ends with space (RFC 9113 §8.2.1). */
export const BAD_VALUE = 0x20;
/** The field came as "never indexed" and must leave so (RFC 7541 §7.1.3). */
export const NEVER_INDEXED = 0x40;

const SPECIAL_NAMES: ReadonlyMap<string, number> = new Map([
  [":method", FieldKind.method],
  [":scheme", FieldKind.scheme],
  [":authority", FieldKind.authority],
  [":path", FieldKind.path],
  [":protocol", FieldKind.protocol],
  [":status", FieldKind.status],
  ["connection", FieldKind.connection],
  ["keep-alive", FieldKind.connection],
  ["proxy-connection", FieldKind.connection],
  ["transfer-encoding", FieldKind.connection],
  ["upgrade", FieldKind.connection],
  ["te", FieldKind.te],
  ["content-length", FieldKind.contentLength],
  ["host", FieldKind.host],
  ["cookie", FieldKind.cookie],
]);

/** The tag of a name: its kind, or `BAD_NAME`. `octets` is the AND of `OCTETS` over the name. */
export function tagName(name: string, octets: number): number {
  const kind = SPECIAL_NAMES.get(name);
  if (kind !== undefined) return kind;
  if (name.charCodeAt(0) === 0x3a) return FieldKind.unknownPseudo;
  return (octets & NAME_OCTET) !== 0 && name.length > 0 ? FieldKind.ordinary : BAD_NAME;
}
