import type { Result } from "../addr/mod.ts";
import {
  booleanOf,
  DerError,
  DerReader,
  integerHex,
  namedBits,
  octetsOfBits,
  oidOf,
  TAG,
  timeOf,
} from "./der.ts";
import type { Signature } from "./signature.ts";

/** A TLS Certificate message is longer than this only to hurt; ours are about 1 kB. */
const MAX_CERTIFICATE_BYTES = 65_536;

/** RFC 5280, Appendix A: ub-common-name is 64; authorities exceed it. */
const MAX_COMMON_NAME = 256;

/** Bits of KeyUsage (RFC 5280 §4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;

/** The parts of an X.509 certificate that decide whom it names and for how long. */
export interface Certificate {
  /** All of it, as it was read. */
  readonly der: Uint8Array;
  /** The serial number's octets in hexadecimal. */
  readonly serial: string;
  /** The issuer's and the subject's name, DER in hexadecimal: names are compared octet by octet. */
  readonly issuer: string;
  readonly subject: string;
  /** For logs: the subject's last CN, if it is printable text. */
  readonly commonName?: string;
  /** Milliseconds since 1970; both ends are valid moments. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The content of every URI among the subject's alternative names, as octets. */
  readonly uris: readonly Uint8Array[];
  /** Whether BasicConstraints says that this is an authority. */
  readonly isAuthority: boolean;
  /** How many intermediates may follow this authority; absent: any number. */
  readonly pathLength?: number;
  /** KeyUsage, if it is there. */
  readonly keyUsage?: (bit: number) => boolean;
  /** ExtendedKeyUsage, if it is there. */
  readonly extendedKeyUsage?: readonly string[];
  /** What NameConstraints says of URIs, if it is there. */
  readonly uriConstraints?: UriConstraints;
  /** Critical extensions that are not known here. */
  readonly unknownCritical: readonly string[];
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** What the issuer signed, and how. */
  readonly signature: Signature;
}

/** The hosts that URIs below an authority may and may not have (RFC 5280 §4.2.1.10). */
export interface UriConstraints {
  /** Absent: any. */
  readonly permitted?: readonly string[];
  readonly excluded: readonly string[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const OID = {
  commonName: "2.5.4.3",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** GeneralName (RFC 5280 §4.2.1.6): context tags 0–8; 0, 3, 4 and 5 are constructed. */
const GENERAL_NAMES: ReadonlySet<number> = new Set([
  0xa0,
  0x81,
  0x82,
  0xa3,
  0xa4,
  0xa5,
  0x86,
  0x87,
  0x88,
]);
const URI_NAME = 0x86;

/** Parses the DER of a certificate (RFC 5280 §4.1); {@link verifySignature} is for its signature. */
export function parseCertificate(der: Uint8Array): Result<Certificate> {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    return { ok: false, reason: "the certificate is too long" };
  }
  try {
    return { ok: true, value: readCertificate(der) };
  } catch (error) {
    if (error instanceof DerError) return { ok: false, reason: error.message };
    throw error;
  }
}

function readCertificate(der: Uint8Array): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.inside(TAG.sequence);
  outer.end();
  const signed = certificate.value(TAG.sequence);
  const algorithm = certificate.value(TAG.sequence).encoded.toHex();
  const signature = octetsOfBits(certificate.value(TAG.bitString).content);
  certificate.end();

  const tbs = new DerReader(signed.content);

  tbs.optional(0xa0); // version
  const serial = integerHex(tbs.value(TAG.integer).content);
  if (tbs.value(TAG.sequence).encoded.toHex() !== algorithm) {
    throw new DerError("its two signature algorithms differ");
  }
  const issuer = tbs.value(TAG.sequence);
  const validity = tbs.inside(TAG.sequence);
  const notBefore = timeOf(validity.any()) * 1000;
  const notAfter = timeOf(validity.any()) * 1000;
  validity.end();
  const subject = tbs.value(TAG.sequence);
  const publicKey = tbs.value(TAG.sequence).encoded;
  tbs.optional(0x81); // unique identifiers
  tbs.optional(0x82);
  const extensions = tbs.optional(0xa3);
  tbs.end();

  const commonName = readCommonName(subject.content);
  return {
    der,
    serial,
    issuer: issuer.encoded.toHex(),
    subject: subject.encoded.toHex(),
    ...commonName !== undefined && { commonName },
    notBefore,
    notAfter,
    uris: [],
    isAuthority: false,
    unknownCritical: [],
    publicKey,
    signature: { signed: signed.encoded, algorithm, value: signature },
    ...extensions && readExtensions(extensions.content),
  };
}

/** The extensions that matter; one that comes twice is refused (RFC 5280 §4.2). */
function readExtensions(content: Uint8Array): Partial<Certificate> {
  const wrapper = new DerReader(content);
  const list = wrapper.inside(TAG.sequence);
  wrapper.end();
  const found: Partial<Mutable<Certificate>> = {};
  const unknownCritical: string[] = [];
  const seen = new Set<string>();
  while (!list.done) {
    const extension = list.inside(TAG.sequence);
    const oid = oidOf(extension.value(TAG.oid).content);
    const flag = extension.optional(TAG.boolean);
    const critical = flag !== undefined && booleanOf(flag.content);
    const value = new DerReader(extension.value(TAG.octetString).content);
    extension.end();
    if (seen.has(oid)) throw new DerError("an extension comes twice");
    seen.add(oid);
    if (oid === OID.subjectAltName) found.uris = readUris(value);
    else if (oid === OID.basicConstraints) Object.assign(found, readBasicConstraints(value));
    else if (oid === OID.keyUsage) found.keyUsage = namedBits(value.value(TAG.bitString).content);
    else if (oid === OID.extendedKeyUsage) found.extendedKeyUsage = readOids(value);
    else if (oid === OID.nameConstraints) found.uriConstraints = readUriConstraints(value);
    else {
      if (critical) unknownCritical.push(oid);
      continue;
    }
    value.end();
  }
  return { ...found, unknownCritical };
}

function readUris(value: DerReader): Uint8Array[] {
  const names = value.inside(TAG.sequence);
  const uris: Uint8Array[] = [];
  while (!names.done) {
    const { tag, content } = names.any();
    if (!GENERAL_NAMES.has(tag)) throw new DerError("an alternative name is of no known kind");
    if (tag === URI_NAME) uris.push(content);
  }
  return uris;
}

function readBasicConstraints(
  value: DerReader,
): Pick<Certificate, "isAuthority" | "pathLength"> {
  const constraints = value.inside(TAG.sequence);
  const authority = constraints.optional(TAG.boolean);
  const length = constraints.optional(TAG.integer);
  constraints.end();
  const isAuthority = authority !== undefined && booleanOf(authority.content);
  if (length === undefined) return { isAuthority };
  // Nobody issues a chain of over 127 certificates, and no negative number is a length.
  const hex = integerHex(length.content);
  if (hex.length !== 2 || hex > "7f") throw new DerError("a path length is over 127");
  return { isAuthority, pathLength: parseInt(hex, 16) };
}

/** Of GeneralSubtrees only those of URIs: nothing else of a certificate is believed here. */
function readUriConstraints(value: DerReader): UriConstraints {
  const constraints = value.inside(TAG.sequence);
  const permitted = constraints.optional(0xa0);
  const excluded = constraints.optional(0xa1);
  constraints.end();
  const hosts = permitted && readUriSubtrees(permitted.content);
  return {
    ...hosts !== undefined && hosts.length > 0 && { permitted: hosts },
    excluded: excluded === undefined ? [] : readUriSubtrees(excluded.content),
  };
}

function readUriSubtrees(content: Uint8Array): string[] {
  const subtrees = new DerReader(content);
  const hosts: string[] = [];
  while (!subtrees.done) {
    const subtree = subtrees.inside(TAG.sequence);
    const base = subtree.any();
    // RFC 5280 §4.2.1.10: minimum is 0, which DER leaves out, and maximum is absent.
    subtree.end();
    if (base.tag === URI_NAME) hosts.push(String.fromCharCode(...base.content).toLowerCase());
  }
  return hosts;
}

function readOids(value: DerReader): string[] {
  const list = value.inside(TAG.sequence);
  const oids: string[] = [];
  while (!list.done) oids.push(oidOf(list.value(TAG.oid).content));
  return oids;
}

/** The last CN, as `openssl x509 -subject` and most logs take it; never used to decide. */
function readCommonName(name: Uint8Array): string | undefined {
  const sets = new DerReader(name);
  let commonName: string | undefined;
  while (!sets.done) {
    const attributes = sets.inside(TAG.set);
    while (!attributes.done) {
      const attribute = attributes.inside(TAG.sequence);
      const oid = oidOf(attribute.value(TAG.oid).content);
      const { tag, content } = attribute.any();
      attribute.end();
      if (oid === OID.commonName) commonName = printable(tag, content);
    }
  }
  return commonName;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function printable(tag: number, content: Uint8Array): string | undefined {
  const isText = tag === TAG.utf8String || tag === TAG.printableString || tag === TAG.ia5String;
  if (!isText || content.length > MAX_COMMON_NAME) return undefined;
  try {
    const text = UTF8.decode(content);
    return /[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
