import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** What is wrong, and with which half. */
export interface TlsPairFault {
  readonly part: "certificate" | "key";
  /** Continues "the certificate …" or "the key …"; never holds an octet of either. */
  readonly reason: string;
}

export type TlsPairCheck =
  | { readonly ok: true; readonly leaf: X509Certificate }
  | { readonly ok: false; readonly faults: readonly TlsPairFault[] };

/** A certificate chain with its key; in memory only, never logged. */
export interface Pair {
  readonly certPem: string;
  readonly keyPem: string;
  /** The server's own certificate. */
  readonly leaf: X509Certificate;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----/;

/**
 * Checks that a certificate chain and a private key, both PEM, can serve TLS: every certificate
 * parses, the key parses and is not encrypted, and it belongs to the first certificate.
 */
export function checkTlsPair(certPem: string, keyPem: string): TlsPairCheck {
  const chain = parseChain(certPem);
  const key = parseKey(keyPem);
  if (typeof chain === "string" || typeof key === "string") {
    const faults: TlsPairFault[] = [];
    if (typeof chain === "string") faults.push({ part: "certificate", reason: chain });
    if (typeof key === "string") faults.push({ part: "key", reason: key });
    return { ok: false, faults };
  }
  const [leaf, ...issuers] = chain;
  if (leaf.checkPrivateKey(key)) return { ok: true, leaf };
  const reason = issuers.some((issuer) => issuer.checkPrivateKey(key))
    ? "belongs to a later certificate of the chain; the server's own must come first"
    : "does not belong to the certificate";
  return { ok: false, faults: [{ part: "key", reason }] };
}

/**
 * Whether the certificate names a host (RFC 9525 §6.3), or for a `*.` pattern the hosts one label
 * below it. For hints only: it reads the printed form of the names, and those of IDNA as A-labels.
 * (`X509Certificate.checkHost()` of this runtime does not know wildcards.)
 */
export function coversHost(leaf: X509Certificate, hostname: string): boolean {
  const names = (leaf.subjectAltName ?? "").split(", ")
    .filter((name) => name.startsWith("DNS:"))
    .map((name) => name.slice("DNS:".length).toLowerCase());
  const dot = hostname.indexOf(".");
  return names.includes(hostname) || (dot > 0 && names.includes(`*${hostname.slice(dot)}`));
}

/** The certificates, or why there are none. */
function parseChain(pem: string): [X509Certificate, ...X509Certificate[]] | string {
  const chain: X509Certificate[] = [];
  for (const [block] of pem.matchAll(CERTIFICATE)) {
    try {
      chain.push(new X509Certificate(block));
    } catch {
      return `does not parse (number ${chain.length + 1} of the file)`;
    }
  }
  // A file that is being written ends inside a block.
  const begun = pem.split("-----BEGIN CERTIFICATE-----").length - 1;
  if (begun > chain.length) return "is cut off";
  const [leaf, ...issuers] = chain;
  if (leaf !== undefined) return [leaf, ...issuers];
  return PRIVATE_KEY.test(pem)
    ? "is missing: the file holds a private key"
    : "is missing: the file is not PEM with a certificate";
}

/** The key, or why there is none. OpenSSL's own reasons are about its decoders, so not given. */
function parseKey(pem: string): KeyObject | string {
  const header = PRIVATE_KEY.exec(pem);
  if (header === null) {
    return pem.includes("-----BEGIN CERTIFICATE-----")
      ? "is missing: the file holds a certificate"
      : "is missing: the file is not PEM with a private key";
  }
  if (header[0].includes("ENCRYPTED") || pem.includes("Proc-Type: 4,ENCRYPTED")) {
    return "is encrypted, and there is nobody to type its password";
  }
  // The runtime wants the block alone, without OpenSSL's "EC PARAMETERS" or a certificate before it.
  const end = `-----END ${header[1]}-----`;
  const block = pem.slice(header.index, pem.indexOf(end, header.index) + end.length);
  try {
    return createPrivateKey(block);
  } catch {
    return "does not parse";
  }
}

/** All of it as one text; never holds an octet of either. */
export function describeFaults(faults: readonly TlsPairFault[]): string {
  return faults.map(({ part, reason }) => `the ${part} ${reason}`).join("; ");
}
