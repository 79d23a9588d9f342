import type { Name } from "../dns/mod.ts";

/**
 * A name with the case of each of its letters drawn by lot. A server repeats the question as it came,
 * so that whoever wants to answer in its place has to guess one bit more for each letter (0x20).
 */
export function mixCase(name: Name): Name {
  const lots = crypto.getRandomValues(new Uint8Array(name.length));
  // Lengths of labels are up to 63, and all letters are beyond.
  return name.map((octet, i) => isLetter(octet) ? octet ^ ((lots[i] as number) & 0x20) : octet);
}

function isLetter(octet: number): boolean {
  const lower = octet | 0x20;
  return octet > 0x40 && lower >= 0x61 && lower <= 0x7a;
}
