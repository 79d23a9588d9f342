import { constants, type KeyObject, verify, type VerifyKeyObjectInput } from "node:crypto";

/** A signature over DER, as certificates and revocation lists carry it. */
export interface Signature {
  /** The octets that were signed. */
  readonly signed: Uint8Array;
  /** AlgorithmIdentifier, DER in hexadecimal. */
  readonly algorithm: string;
  readonly value: Uint8Array;
}

/** What node:crypto has to be told of an algorithm. */
interface Scheme {
  /** `null`: the algorithm has its own. */
  readonly digest: string | null;
  /** Octets of salt, for RSASSA-PSS. */
  readonly saltLength?: number;
}

const ECDSA_SHA256 = "300a06082a8648ce3d040302";
const ECDSA_SHA384 = "300a06082a8648ce3d040303";
const ECDSA_SHA512 = "300a06082a8648ce3d040304";
const ED25519 = "300506032b6570";

/** sha256WithRSAEncryption and its kin, with the NULL that RFC 4055 §5 wants. */
const rsa = (last: string) => `300d06092a864886f70d0101${last}0500`;

/**
 * RSASSA-PSS with MGF1 over the same digest and a salt of its length (RFC 4055 §3.1). The digest's
 * NULL may be there or not (§2.1).
 */
function* pss(digest: string, saltLength: number): Generator<readonly [string, Scheme]> {
  const wrap = (tag: string, content: string) =>
    tag + (content.length / 2).toString(16).padStart(2, "0") + content;
  for (const parameters of ["", "0500"]) {
    const last = { sha256: "01", sha384: "02", sha512: "03" }[digest] ?? "";
    const hash = wrap("30", `06096086480165030402${last}${parameters}`);
    const mask = wrap("30", `06092a864886f70d010108${hash}`);
    const salt = wrap("a2", wrap("02", saltLength.toString(16)));
    const params = wrap("30", wrap("a0", hash) + wrap("a1", mask) + salt);
    yield [wrap("30", `06092a864886f70d01010a${params}`), { digest, saltLength }];
  }
}

/**
 * The algorithms of certificates that TLS takes here, whole: one with other parameters is another
 * algorithm. SHA-1 and MD5 are not among them.
 */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  [ECDSA_SHA256, { digest: "sha256" }],
  [ECDSA_SHA384, { digest: "sha384" }],
  [ECDSA_SHA512, { digest: "sha512" }],
  [ED25519, { digest: null }],
  [rsa("0b"), { digest: "sha256" }],
  [rsa("0c"), { digest: "sha384" }],
  [rsa("0d"), { digest: "sha512" }],
  ...pss("sha256", 32),
  ...pss("sha384", 48),
  ...pss("sha512", 64),
]);

/** Whether {@link verifySignature} could say yes. */
export function isKnownAlgorithm(algorithm: string): boolean {
  return SCHEMES.has(algorithm);
}

/**
 * Whether the holder of this key signed. `X509Certificate.verify()` would not do: in Deno 2.9.6 it
 * takes SHA-1, refuses RSASSA-PSS and throws at P-521.
 */
export function verifySignature({ signed, algorithm, value }: Signature, key: KeyObject): boolean {
  const scheme = SCHEMES.get(algorithm);
  if (scheme === undefined) return false;
  const { digest, saltLength } = scheme;
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const input: KeyObject | VerifyKeyObjectInput = saltLength === undefined
    ? key
    : { key, padding, saltLength };
  try {
    return verify(digest, signed, input, value);
  } catch {
    return false; // A key of another kind than the algorithm's, or one that is not supported.
  }
}
