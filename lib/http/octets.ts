/**
 * Which octets may stand where in a field (RFC 9110 §5.5, §5.6.2).
 *
 * @module
 */

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
