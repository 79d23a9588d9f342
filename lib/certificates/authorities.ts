import { type Authority, describeUnfit, parseAuthorities } from "../x509/mod.ts";

/** The certificates of a file of authorities. */
export interface Authorities {
  readonly pem: string;
  readonly certificates: readonly Authority[];
}

/** A file of authorities, or why it is none; continues "the file …". */
export type AuthoritiesRead =
  | { readonly ok: true; readonly authorities: Authorities }
  | { readonly ok: false; readonly reason: string };

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/** Nobody is trusted for it. */
export const NO_AUTHORITIES: Authorities = { pem: "", certificates: [] };

/** Reads PEM certificates of authorities, one or more, each of which has to parse. */
export function readAuthorities(pem: string): AuthoritiesRead {
  const begun = pem.split(BEGIN_CERTIFICATE).length - 1;
  if (begun === 0) return { ok: false, reason: "holds no certificate" };
  const blocks = pem.match(CERTIFICATE) ?? [];
  // A file that is being written ends inside a block.
  if (begun > blocks.length) return { ok: false, reason: "is cut off" };
  const certificates: Authority[] = [];
  for (const [i, block] of blocks.entries()) {
    try {
      certificates.push(...parseAuthorities([block]));
    } catch {
      return { ok: false, reason: `certificate ${i + 1} does not parse` };
    }
  }
  return { ok: true, authorities: { pem, certificates } };
}

/** Which of them may vouch for nobody now, one sentence each. */
export function unfitAuthorities({ certificates }: Authorities, nowMs: number): string[] {
  return certificates.flatMap(({ certificate }, i) => {
    const unfit = describeUnfit(certificate, nowMs);
    return unfit === undefined ? [] : [`certificate ${i + 1} ${unfit}`];
  });
}
