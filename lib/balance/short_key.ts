import { hashText } from "./hash.ts";

/** Characters of a {@link shortKey}. */
export const SHORT_KEY_LENGTH = 8;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Four characters of each of two hashes. */
const BITS = [0, 1].flatMap((word) => [0, 6, 12, 18].map((shift) => [word, shift] as const));

/**
 * Names something that has several parts in 48 bits, the same at all proxies of a group: of a hundred
 * thousand things two have the same with a chance of 1 in 50,000.
 */
export function shortKey(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts);
  // Behind another beginning: behind the same one, what collides once collides twice.
  const hashes = [hashText(text), hashText(`:${text}`)];
  return BITS.map(([word, shift]) => ALPHABET[(hashes[word] ?? 0) >>> shift & 63]).join("");
}
