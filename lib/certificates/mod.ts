/**
 * What TLS is made of: pairs of certificate and key, authorities, revocation lists. How each is judged,
 * and the one store that reads them and notices that they have changed.
 *
 * @module
 */
export {
  type Authorities,
  type AuthoritiesRead,
  readAuthorities,
  unfitAuthorities,
} from "./authorities.ts";
export { FileReader, type ReadFile, type ReadStamp } from "./file_reader.ts";
export { type Held } from "./held.ts";
export {
  checkTlsPair,
  coversHost,
  describeFaults,
  type Pair,
  type TlsPairCheck,
  type TlsPairFault,
} from "./pair.ts";
export {
  type CertificateExpiry,
  CertificateStore,
  type CertificateStoreOptions,
  type HeldAuthorities,
  type InUse,
  type PairFiles,
  type ReadIssued,
  type ReadShared,
} from "./store.ts";
