/**
 * The server's side of tls-alpn-01 (RFC 8737): one TLS 1.3 handshake of our own over WebCrypto. Octets
 * in, octets out; its owner has the socket and the deadline.
 *
 * @module
 */
export { AcmeTlsError } from "./error.ts";
export {
  answerChallenge,
  type ChallengeCertificate,
  type ChallengeStream,
  type HandshakeRandomness,
} from "./handshake.ts";
export { type Share } from "./key_exchange.ts";
export { ACME_TLS } from "./messages.ts";
