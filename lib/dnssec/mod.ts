/**
 * Signing answers when they are given (DNSSEC): keys and what a parent says of them, signatures, and
 * proofs of what is not there (RFC 4034, RFC 4035, RFC 6605, RFC 9824). Pure but for WebCrypto: zones,
 * answers and the time in, octets out.
 *
 * @module
 */
export {
  createZoneKey,
  exportZoneKey,
  importZoneKey,
  isKeyRole,
  KEY_ROLES,
  type KeyRole,
  type StoredZoneKey,
  type ZoneKey,
} from "./key.ts";
export { delegationSigners } from "./delegation.ts";
export { type SignedZone, signZone, type ZoneKeys, zoneKeysOf } from "./signed_zone.ts";
export { AnswerSigner, type SignerOptions, type SignerStatus } from "./answer_signer.ts";
export { formatZoneKeys, parseZoneKeys } from "./key_file.ts";
