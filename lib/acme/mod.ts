/**
 * A client of certificate authorities: ACME (RFC 8555) with external accounts, key rollover, profiles,
 * revocation and renewal information (RFC 9773). Signatures are WebCrypto's, HTTPS is the runtime's,
 * everything else is here and bounded.
 *
 * @module
 */
export { checkIssued } from "./check.ts";
export { AcmeClient, type ExternalAccount, type NewOrder } from "./client.ts";
export { createChallengeCertificate, createCsr } from "./csr.ts";
export { type Directory } from "./directory.ts";
export { type DnsUpdateServer, type TextChange, updateText } from "./dns_update.ts";
export { AcmeError, type AcmeErrorCode } from "./error.ts";
export { AcmeHttp, type AcmeHttpOptions } from "./http.ts";
export { dnsProofText, keyAuthorization } from "./jws.ts";
export { exportKeyPem, fromPem, generateKey, importKeyPem, type SigningKey } from "./keys.ts";
export {
  CHALLENGE_TYPES,
  type ChallengeType,
  obtainCertificate,
  type ObtainOptions,
  pause,
  type Proof,
  type Prover,
} from "./obtain.ts";
export { backOff, type Lifetime, renewalId, renewalTime } from "./renewal.ts";
export { type Authorization, type Challenge, type Order, type RenewalWindow } from "./resources.ts";
