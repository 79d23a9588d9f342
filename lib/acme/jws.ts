import { AcmeError } from "./error.ts";
import { base64url, sha256, sign, type SigningKey } from "./keys.ts";

/** A flattened JWS (RFC 7515 §7.2.2), the only body that a CA takes. */
export interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** What stands beside `alg` in the protected header (RFC 8555 §6.2). */
export interface JwsHeader {
  readonly url: string;
  readonly nonce?: string;
  /** The account's URL; absent: the key itself. */
  readonly kid?: string;
}

/** Signs with ES256. An absent payload is a POST-as-GET: the empty string (RFC 8555 §6.3). */
export async function signJws(
  key: SigningKey,
  header: JwsHeader,
  payload?: unknown,
): Promise<Jws> {
  const identity = header.kid === undefined ? { jwk: await publicJwk(key) } : {};
  const parts = encode({ alg: "ES256", ...identity, ...header }, payload);
  const signature = await sign(key, signingInput(parts));
  return { ...parts, signature: base64url(signature) };
}

/** External account binding (RFC 8555 §7.3.4): the account's key, signed with the CA's secret. */
export async function bindAccount(
  key: SigningKey,
  { kid, hmacKey, url }: { readonly kid: string; readonly hmacKey: string; readonly url: string },
): Promise<Jws> {
  const parts = encode({ alg: "HS256", kid, url }, await publicJwk(key));
  let secret: CryptoKey;
  try {
    const octets = Uint8Array.fromBase64(hmacKey.trim(), { alphabet: "base64url" });
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    secret = await crypto.subtle.importKey("raw", octets as BufferSource, algorithm, false, [
      "sign",
    ]);
  } catch {
    throw new AcmeError("failed", "the key of the external account is not base64url");
  }
  const signature = await crypto.subtle.sign("HMAC", secret, signingInput(parts));
  return { ...parts, signature: base64url(new Uint8Array(signature)) };
}

/** The public half, with the members in the order of RFC 7638 §3.2 and no other. */
export async function publicJwk(
  { publicKey }: SigningKey,
): Promise<{ crv: string; kty: string; x: string; y: string }> {
  const { crv = "", kty = "", x = "", y = "" } = await crypto.subtle.exportKey("jwk", publicKey);
  return { crv, kty, x, y };
}

/** `token.thumbprint` (RFC 8555 §8.1): what proves that the name answers for this account. */
export async function keyAuthorization(token: string, key: SigningKey): Promise<string> {
  const jwk = new TextEncoder().encode(JSON.stringify(await publicJwk(key)));
  return `${token}.${base64url(await sha256(jwk))}`;
}

/** What a name server is to say of `_acme-challenge` (RFC 8555 §8.4). */
export async function dnsProofText(keyAuthorization: string): Promise<string> {
  return base64url(await sha256(new TextEncoder().encode(keyAuthorization)));
}

function encode(header: object, payload: unknown): { protected: string; payload: string } {
  return {
    protected: base64url(JSON.stringify(header)),
    payload: payload === undefined ? "" : base64url(JSON.stringify(payload)),
  };
}

function signingInput(parts: Omit<Jws, "signature">): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${parts.protected}.${parts.payload}`);
}
