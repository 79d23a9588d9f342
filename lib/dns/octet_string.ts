/**
 * Octets as a string, one character for each. A hundred thousand small arrays cost ten times the memory
 * of as many strings, and strings are what maps are asked for.
 */
export type OctetString = string;

/** Arguments of one call. */
const CHUNK = 8192;

/** The string of octets. */
export function octetString(octets: Uint8Array): OctetString {
  if (octets.length <= CHUNK) return String.fromCharCode(...octets);
  let text = "";
  for (let at = 0; at < octets.length; at += CHUNK) {
    text += String.fromCharCode(...octets.subarray(at, at + CHUNK));
  }
  return text;
}

/** The octets of a string. */
export function octetsOf(text: OctetString): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}

/**
 * What is the same for names that are the same: ASCII letters have no case (RFC 4343). The string
 * itself where there is nothing to fold.
 */
export function foldCase(name: OctetString): OctetString {
  // Lengths are below every letter, so that they may be folded with the rest.
  return /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
}
