import { failure, type Result, success } from "../addr/mod.ts";
import { type Name, nameFromText } from "../dns/mod.ts";

/** Algorithms by their names (RFC 8945 §6), without those whose hashes are broken. */
export const TSIG_ALGORITHMS = Object.freeze({
  "hmac-sha256": Object.freeze({ hash: "SHA-256", octets: 32 }),
  "hmac-sha384": Object.freeze({ hash: "SHA-384", octets: 48 }),
  "hmac-sha512": Object.freeze({ hash: "SHA-512", octets: 64 }),
});

/** The name of an algorithm. */
export type TsigAlgorithm = keyof typeof TSIG_ALGORITHMS;

/** A key that two servers share. */
export interface TsigKey {
  /** In lower case, as signatures want it (RFC 8945 §4.3.3). */
  readonly name: Name;
  readonly algorithm: TsigAlgorithm;
  readonly algorithmName: Name;
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** RFC 8945 §8: a key is as long as what the hash gives; half of it is the least that is worth one. */
const LEAST_SECRET_OCTETS = 16;

/** Whether a text is the name of an algorithm that is known here. */
export function isTsigAlgorithm(text: string): text is TsigAlgorithm {
  return Object.hasOwn(TSIG_ALGORITHMS, text);
}

/**
 * A key of its name, its algorithm and its secret in base64.
 *
 * @param leastOctets of the secret; keys of others may be shorter than what we would make.
 */
export function createTsigKey(
  { name, algorithm = "hmac-sha256", secret }: {
    readonly name: string;
    readonly algorithm?: string;
    readonly secret: string;
  },
  { leastOctets = LEAST_SECRET_OCTETS }: { readonly leastOctets?: number } = {},
): Result<TsigKey> {
  const lower = algorithm.toLowerCase().replace(/\.$/, "");
  if (!isTsigAlgorithm(lower)) {
    return failure(`the algorithm is none of ${Object.keys(TSIG_ALGORITHMS).join(", ")}`);
  }
  const own = nameFromText(name.toLowerCase());
  if (!own.ok) return failure(`the name of the key is no name: ${own.reason}`);
  const octets = octetsOfBase64(secret.trim());
  if (octets === undefined) return failure("the secret is not base64");
  if (octets.length < leastOctets) {
    return failure(`the secret has ${octets.length} octets, fewer than ${leastOctets}`);
  }
  const algorithmName = nameFromText(lower);
  if (!algorithmName.ok) return algorithmName;
  return success({
    name: own.value,
    algorithm: lower,
    algorithmName: algorithmName.value,
    secret: octets,
  });
}

function octetsOfBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text) as Uint8Array<ArrayBuffer>;
  } catch {
    return undefined;
  }
}

/** The signature of octets with a key. */
export async function macOf(
  { secret, algorithm }: TsigKey,
  octets: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { hash } = TSIG_ALGORITHMS[algorithm];
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, octets));
}
