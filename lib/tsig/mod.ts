/**
 * Signatures of messages with shared keys (TSIG, RFC 8945). Pure: octets, keys and the time in, octets
 * and verdicts out.
 *
 * @module
 */
export {
  createTsigKey,
  isTsigAlgorithm,
  TSIG_ALGORITHMS,
  type TsigAlgorithm,
  type TsigKey,
} from "./key.ts";
export { findTsig, type FoundTsig, TSIG_ERROR, type TsigRecord } from "./record.ts";
export {
  answerRefused,
  type RefusedSignature,
  type Signed,
  signError,
  signMessage,
  TsigStream,
} from "./sign.ts";
export { type TsigVerdict, TsigVerifier, verifyMessage } from "./verify.ts";
export { type RespondOptions, respondSigned, type SignedResponse } from "./respond.ts";
