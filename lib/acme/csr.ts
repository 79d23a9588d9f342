import { concat } from "../wire/mod.ts";
import { TAG } from "../x509/mod.ts";
import {
  bitString,
  der,
  ecdsaSignature,
  oid,
  sequence,
  time,
  unsignedInteger,
} from "./der_writer.ts";
import { sha256, sign, type SigningKey } from "./keys.ts";

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  extensionRequest: "1.2.840.113549.1.9.14",
  subjectAltName: "2.5.29.17",
  /** id-pe-acmeIdentifier (RFC 8737 §6.1). */
  acmeIdentifier: "1.3.6.1.5.5.7.1.31",
} as const;

const DNS_NAME = 0x82;
const TRUE = Uint8Array.of(TAG.boolean, 1, 0xff);

/**
 * A request for a certificate (PKCS #10, RFC 2986), DER. The subject is empty: names are in
 * subjectAltName, and a common name may not be over 64 characters.
 */
export async function createCsr(
  key: SigningKey,
  names: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const extensions = sequence(subjectAltName(names));
  const attribute = sequence(oid(OID.extensionRequest), der(TAG.set, extensions));
  const info = sequence(
    unsignedInteger(Uint8Array.of(0)),
    sequence(),
    await publicKeyInfo(key),
    der(0xa0, attribute),
  );
  return await signed(info, key);
}

/** How long the certificate of a challenge says to be good for; nobody looks. */
const CHALLENGE_LIFETIME_MS = 7 * 24 * 3_600_000;

/**
 * The self-signed certificate that answers tls-alpn-01 (RFC 8737 §3), DER: the one name, and the digest
 * of the key authorization in an extension that is critical, so that nothing else takes it for real.
 */
export async function createChallengeCertificate(
  key: SigningKey,
  { name, keyAuthorization, nowMs }: {
    readonly name: string;
    readonly keyAuthorization: string;
    readonly nowMs: number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const digest = await sha256(new TextEncoder().encode(keyAuthorization));
  const identifier = sequence(
    oid(OID.acmeIdentifier),
    TRUE,
    der(TAG.octetString, der(TAG.octetString, digest)),
  );
  const issuer = sequence(
    der(TAG.set, sequence(oid("2.5.4.3"), der(TAG.utf8String, new TextEncoder().encode("acme")))),
  );
  const toBeSigned = sequence(
    der(0xa0, unsignedInteger(Uint8Array.of(2))),
    unsignedInteger(crypto.getRandomValues(new Uint8Array(16))),
    sequence(oid(OID.ecdsaWithSha256)),
    issuer,
    sequence(time(nowMs - CHALLENGE_LIFETIME_MS), time(nowMs + CHALLENGE_LIFETIME_MS)),
    issuer,
    await publicKeyInfo(key),
    der(0xa3, sequence(subjectAltName([name]), identifier)),
  );
  return await signed(toBeSigned, key);
}

function subjectAltName(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const entries = names.map((name) => der(DNS_NAME, new TextEncoder().encode(name)));
  return sequence(oid(OID.subjectAltName), der(TAG.octetString, sequence(...entries)));
}

async function publicKeyInfo({ publicKey }: SigningKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
}

async function signed(
  content: Uint8Array<ArrayBuffer>,
  key: SigningKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = ecdsaSignature(await sign(key, content));
  return concat(sequence(content, sequence(oid(OID.ecdsaWithSha256)), bitString(signature)));
}
