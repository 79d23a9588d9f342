import { Buffer } from "node:buffer";

/** What a password's hash was made with, and what came out. */
export interface ScryptHash {
  /** N, the cost: a power of two. */
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** 2^15 blocks of 1 KiB: 32 MiB and some 80 ms for each guess. */
export const USUAL_COST = { log2: 15, blockSize: 8, parallelization: 1 } as const;

const PHC =
  /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9])\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** What one guess may cost us: 128 MiB, and half a second. */
const MAX_OCTETS = 128 * 1024 * 1024;

/**
 * Reads the hash of a password as `mc-proxy hash-password` writes it, in the PHC string format:
 * `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, both base64 without padding. Nothing for anything else, and
 * for costs that are no protection or too much for a proxy.
 */
export function parsePasswordHash(text: string): ScryptHash | undefined {
  const found = PHC.exec(text);
  if (found === null) return undefined;
  const [log2, blockSize, parallelization] = found.slice(1, 4).map(Number) as [
    number,
    number,
    number,
  ];
  const cost = 2 ** log2;
  if (log2 < 10 || blockSize < 1 || parallelization < 1 || parallelization > 4) return undefined;
  if (128 * cost * blockSize > MAX_OCTETS) return undefined;
  const [salt, hash] = found.slice(4).map((it) => new Uint8Array(Buffer.from(it, "base64")));
  if (salt === undefined || hash === undefined) return undefined;
  return { cost, blockSize, parallelization, salt, hash };
}

/** Writes what {@link parsePasswordHash} reads. */
export function formatPasswordHash(
  { cost, blockSize, parallelization, salt, hash }: ScryptHash,
): string {
  const costs = `ln=${Math.log2(cost)},r=${blockSize},p=${parallelization}`;
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
  return `$scrypt$${costs}$${base64(salt)}$${base64(hash)}`;
}
