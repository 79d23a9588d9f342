/**
 * Certificates for development and tests: an authority and what it issues, all ECDSA P-256.
 * Nothing here is fit for production: keys are exportable and serial numbers are not recorded.
 *
 * @module
 */
// x509's dependency injection needs the metadata API before the first of its modules is loaded.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const DAY_MS = 24 * 60 * 60 * 1000;

/** Certificates start in the past, so that a client with a slow clock accepts them. */
const CLOCK_SKEW_MS = 60 * 60 * 1000;

const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;

/** 397 days: the longest that browsers accept for a server certificate. */
const LEAF_LIFETIME_MS = 397 * DAY_MS;

/** A certificate with its key, parsed and as PEM. */
export interface IssuedCertificate {
  /** The certificate as PEM; for one issued below an intermediate, the chain without the root. */
  readonly certPem: string;
  /** The private key as PKCS #8 PEM. */
  readonly keyPem: string;
  readonly cert: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

/** A certificate authority; `certPem` is what clients are told to trust. */
export interface Authority extends IssuedCertificate {
  /** PEM of the intermediates between the leaf and the root; `""` below a root. */
  readonly chainPem: string;
}

/** Settings of {@link createAuthority}. */
export interface AuthorityOptions {
  readonly commonName: string;
  /** Signs this authority, which is then an intermediate; without it the authority is a root. */
  readonly issuer?: Authority;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Instead of a fresh pair. */
  readonly keys?: CryptoKeyPair;
  /** Default: to sign certificates and revocation lists. */
  readonly keyUsages?: x509.KeyUsageFlags;
  /** How many intermediates may be below it. */
  readonly pathLength?: number;
  /** Default: `true`. */
  readonly isAuthority?: boolean;
  /** Further extensions, encoded by the caller. */
  readonly extensions?: readonly x509.Extension[];
}

/** Settings of {@link issueCertificate}. */
export interface CertificateOptions {
  readonly commonName?: string;
  /** Subject alternative names of type DNS; taken as they are, so a test can ask for bad ones. */
  readonly dnsNames?: readonly string[];
  /** Subject alternative names of type URI, such as `spiffe://…`; taken as they are. */
  readonly uris?: readonly string[];
  /** Subject alternative names of type IP. */
  readonly ipAddresses?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Extended key usage; an empty list leaves the extension out. */
  readonly usages: readonly ("server" | "client")[];
  /** Instead of a fresh pair. */
  readonly keys?: CryptoKeyPair;
  /** Further extensions, encoded by the caller. */
  readonly extensions?: readonly x509.Extension[];
}

/**
 * Makes a certificate authority with a fresh key.
 *
 * @example
 * ```ts
 * import { createAuthority, issueCertificate } from "./certificates.ts";
 *
 * const authority = await createAuthority({ commonName: "Example development CA" });
 * const { cert } = await issueCertificate(authority, {
 *   dnsNames: ["one.localhost"],
 *   usages: ["server"],
 * });
 * console.assert(cert.issuer === "CN=Example development CA");
 * ```
 */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const keys = options.keys ?? await generateKeys();
  const { issuer } = options;
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const subject = distinguishedName(options.commonName);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer === undefined ? subject : issuer.cert.subjectName,
    ...validity(options, AUTHORITY_LIFETIME_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(options.isAuthority ?? true, options.pathLength, true),
      new x509.KeyUsagesExtension(options.keyUsages ?? keyCertSign | cRLSign, true),
      ...await keyIdentifiers(keys, issuer?.keys ?? keys),
      ...options.extensions ?? [],
    ],
  });
  const pems = await toPem(cert, keys);
  return {
    ...pems,
    cert,
    keys,
    chainPem: issuer === undefined ? "" : pems.certPem + issuer.chainPem,
  };
}

/** Issues a leaf certificate with a fresh key. */
export async function issueCertificate(
  authority: Authority,
  options: CertificateOptions,
): Promise<IssuedCertificate> {
  const keys = options.keys ?? await generateKeys();
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguishedName(options.commonName),
    issuer: authority.cert.subjectName,
    ...validity(options, LEAF_LIFETIME_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...await keyIdentifiers(keys, authority.keys),
      ...extendedKeyUsage(options),
      ...subjectAlternativeName(options),
      ...options.extensions ?? [],
    ],
  });
  const { certPem, keyPem } = await toPem(cert, keys);
  return { certPem: certPem + authority.chainPem, keyPem, cert, keys };
}

/** Signs a revocation list naming `revoked`, valid for a day unless told. */
export async function issueRevocationList(
  authority: Authority,
  revoked: readonly IssuedCertificate[],
  options: { readonly thisUpdate?: Date; readonly nextUpdate?: Date } = {},
): Promise<string> {
  const { notBefore, notAfter } = validity(
    {
      ...options.thisUpdate && { notBefore: options.thisUpdate },
      ...options.nextUpdate && { notAfter: options.nextUpdate },
    },
    DAY_MS,
  );
  const list = await x509.X509CrlGenerator.create({
    issuer: authority.cert.subjectName,
    thisUpdate: notBefore,
    nextUpdate: notAfter,
    entries: revoked.map(({ cert }) => ({
      serialNumber: cert.serialNumber,
      revocationDate: notBefore,
    })),
    signingAlgorithm: ALGORITHM,
    signingKey: authority.keys.privateKey,
  });
  // The label of RFC 7468 §7, the only one that OpenSSL reads.
  return `${x509.PemConverter.encode(list.rawData, "X509 CRL")}\n`;
}

/** Reads back an authority that was stored as PEM, to issue more below it. */
export async function importAuthority(certPem: string, keyPem: string): Promise<Authority> {
  const cert = new x509.X509Certificate(certPem);
  const pkcs8 = x509.PemConverter.decodeFirst(keyPem);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]);
  const publicKey = await cert.publicKey.export(ALGORITHM, ["verify"]);
  return { certPem, keyPem, cert, keys: { privateKey, publicKey }, chainPem: "" };
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function distinguishedName(commonName: string | undefined): x509.Name {
  // The structured form: a string form would interpret commas and equals signs in the name.
  return new x509.Name(commonName === undefined ? [] : [{ CN: [{ utf8String: commonName }] }]);
}

/** 16 random octets, of which the first is in 01–7f: positive, and never a leading zero octet. */
function serialNumber(): string {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[0] = ((octets[0] ?? 0) & 0x7f) || 1;
  return octets.toHex();
}

function validity(
  options: { readonly notBefore?: Date; readonly notAfter?: Date },
  lifetimeMs: number,
): { notBefore: Date; notAfter: Date } {
  const notBefore = options.notBefore ?? new Date(Date.now() - CLOCK_SKEW_MS);
  return { notBefore, notAfter: options.notAfter ?? new Date(notBefore.getTime() + lifetimeMs) };
}

async function keyIdentifiers(subject: CryptoKeyPair, issuer: CryptoKeyPair) {
  return [
    await x509.SubjectKeyIdentifierExtension.create(subject.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

function extendedKeyUsage({ usages }: CertificateOptions): x509.Extension[] {
  if (usages.length === 0) return [];
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  return [
    new x509.ExtendedKeyUsageExtension(
      usages.map((usage) => usage === "server" ? serverAuth : clientAuth),
    ),
  ];
}

function subjectAlternativeName(options: CertificateOptions): x509.Extension[] {
  const names: x509.JsonGeneralName[] = [
    ...(options.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(options.uris ?? []).map((value) => ({ type: "url" as const, value })),
    ...(options.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  if (names.length === 0) return [];
  // RFC 5280 §4.2.1.6: critical when the subject is empty.
  return [new x509.SubjectAlternativeNameExtension(names, options.commonName === undefined)];
}

async function toPem(cert: x509.X509Certificate, keys: CryptoKeyPair) {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certPem: `${cert.toString("pem")}\n`,
    keyPem: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}
