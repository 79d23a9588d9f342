/**
 * What a field's name and octets say about it, found once when the field enters a table and kept
 * with it, so that a repeated field costs nothing to check again.
 *
 * @module
 */

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

/** Set in `OCTETS` for an octet that a field name may hold. */
export const NAME_OCTET = 1;
/** Set in `OCTETS` for an octet that a field value may hold. */
export const VALUE_OCTET = 2;
/** For each octet, where it may stand. */
export const OCTETS: Uint8Array = classifyOctets();

function classifyOctets(): Uint8Array {
  const octets = new Uint8Array(256);
  // RFC 9110 §5.6.2 token without upper case (RFC 9113 §8.2.1). RFC 9113 would let a recipient pass
  // more; a name that HTTP/1.1 cannot carry is how requests get smuggled, so nothing more passes.
  for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    octets[c.charCodeAt(0)] = NAME_OCTET;
  }
  octets[0x09] = VALUE_OCTET;
  for (let octet = 0x20; octet < 256; octet++) {
    if (octet !== 0x7f) octets[octet] = (octets[octet] as number) | VALUE_OCTET;
  }
  return octets;
}

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

/** What a value may not hold; the same as `VALUE_OCTET` says, and above 255 nothing is an octet. */
const NOT_IN_VALUE = /[^\t -~\x80-\xff]/;
/** The same as `NAME_OCTET` says. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Whether a string from our own side may be sent as a value. */
export function isFieldValue(value: string): boolean {
  const { length } = value;
  // The regular expression is compiled to machine code and beats a loop over a table by far.
  return length === 0 || (!isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(length - 1)) &&
    !NOT_IN_VALUE.test(value));
}

/** Whether a string from our own side may be sent as the name of an ordinary field. */
export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

/** Space or tab. */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
