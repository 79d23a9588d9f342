/** Every key that we make: what all CAs and all clients of today take, and the fastest to sign with. */
const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** A key pair that can sign. */
export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** Makes an ECDSA key on P-256. */
export async function generateKey(): Promise<SigningKey> {
  return await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

/** PKCS #8, PEM; secret. */
export async function exportKeyPem({ privateKey }: SigningKey): Promise<string> {
  return toPem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey)));
}

/**
 * Reads what {@link exportKeyPem} wrote.
 *
 * @throws {TypeError} without an octet of the key.
 */
export async function importKeyPem(pem: string): Promise<SigningKey> {
  try {
    const octets = fromPem("PRIVATE KEY", pem);
    const privateKey = await crypto.subtle.importKey("pkcs8", octets, P256, true, ["sign"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", privateKey);
    const jwk = { kty, crv, x, y } as JsonWebKey;
    const publicKey = await crypto.subtle.importKey("jwk", jwk, P256, true, ["verify"]);
    return { privateKey, publicKey };
  } catch {
    throw new TypeError("the key is not an ECDSA key on P-256 in PKCS #8");
  }
}

/** Signs with SHA-256; the two numbers one after the other. */
export async function sign(
  { privateKey }: SigningKey,
  octets: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, octets));
}

/** SHA-256. */
export async function sha256(octets: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
}

/** One block of PEM (RFC 7468). */
export function toPem(label: string, octets: Uint8Array): string {
  const lines = octets.toBase64().match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** The octets of the first block of that label. */
export function fromPem(label: string, pem: string): Uint8Array<ArrayBuffer> {
  const block = new RegExp(`-----BEGIN ${label}-----([^-]+)-----END ${label}-----`).exec(pem);
  return Uint8Array.fromBase64(block?.[1] ?? "") as Uint8Array<ArrayBuffer>;
}

/** Base64url without padding (RFC 8555 §6.1). */
export function base64url(octets: Uint8Array | string): string {
  const bytes = typeof octets === "string" ? new TextEncoder().encode(octets) : octets;
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
