/**
 * X.509 as far as a gate needs it: DER, certificates, authorities, revocation lists and their
 * signatures. Octets in, values out; signatures are checked by node:crypto. And the identity
 * that a certificate names.
 *
 * @module
 */
export { type Authority, authorityOf, describeUnfit, parseAuthorities } from "./authority.ts";
export {
  type Certificate,
  KEY_USAGE,
  parseCertificate,
  type UriConstraints,
} from "./certificate.ts";
export {
  checkRevocation,
  type FileNote,
  type IssuerRevocations,
  loadRevocationLists,
  type RevocationLists,
  type RevocationOptions,
  type RevocationRefusal,
  type RevocationResult,
} from "./crl.ts";
export { DerError, DerReader, integerHex, TAG } from "./der.ts";
export { verifySignature } from "./signature.ts";
export {
  MAX_SPIFFE_ID,
  parseSpiffeId,
  parseTrustDomain,
  parseUserSpiffeId,
  type SpiffeId,
  type UserSpiffeId,
} from "./spiffe.ts";
