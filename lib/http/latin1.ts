/**
 * Octets to strings, one character per octet. `TextDecoder` costs about 700 ns a call whatever the
 * length; header names and values are short, and these take a fifth of that.
 *
 * @module
 */

const PIECE = 64;
/** One array per length: `apply` on an array of small integers has no conversion to do. */
const PIECES: number[][] = Array.from({ length: PIECE + 1 }, (_, length) => filled(length));

function filled(length: number): number[] {
  const array: number[] = [];
  for (let i = 0; i < length; i++) array.push(0);
  return array;
}

/** The string of `bytes[start, end)`. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  while (end - start > PIECE) {
    text += piece(bytes, start, PIECE);
    start += PIECE;
  }
  return text + piece(bytes, start, end - start);
}

function piece(bytes: Uint8Array, start: number, length: number): string {
  const codes = PIECES[length] as number[];
  for (let i = 0; i < length; i++) codes[i] = bytes[start + i] as number;
  return String.fromCharCode.apply(null, codes);
}

/** Writes the string at `at`, one octet per character, and answers the index after it. */
export function writeLatin1(text: string, target: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  return at;
}
