import type { Result } from "../addr/mod.ts";

/** Of a key that a group shares, in octets. */
const KEY_OCTETS = 32;

/**
 * The keys of a file: one or, while they are exchanged, two, a line each, in base64. With the first one is
 * sealed. Says nothing of what it holds instead.
 */
export function parseShareKeys(text: string): Result<Uint8Array[]> {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
  if (lines.length === 0 || lines.length > 2) {
    return { ok: false, reason: `holds ${lines.length} lines, and not one key or two` };
  }
  const keys: Uint8Array[] = [];
  for (const [i, line] of lines.entries()) {
    const octets = octetsOf(line);
    if (octets?.length !== KEY_OCTETS) {
      return { ok: false, reason: `line ${i + 1} is not ${KEY_OCTETS} octets in base64` };
    }
    if (octets.every((octet) => octet === octets[0])) {
      return { ok: false, reason: `line ${i + 1} is no key: its octets are all the same` };
    }
    keys.push(octets);
  }
  return { ok: true, value: keys };
}

function octetsOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
