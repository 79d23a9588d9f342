import { type Authority, parseAuthorities } from "./authority.ts";
import { type Certificate, KEY_USAGE } from "./certificate.ts";
import {
  booleanOf,
  DerError,
  DerReader,
  integerHex,
  octetsOfBits,
  oidOf,
  TAG,
  timeOf,
} from "./der.ts";
import { isKnownAlgorithm, type Signature, verifySignature } from "./signature.ts";

/** Lists of public authorities reach a few MiB; the reader's own bound is 16 MiB. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** What one authority revoked. */
export interface IssuerRevocations {
  /** Serial numbers in hexadecimal, as {@link Certificate.serial}. */
  readonly serials: ReadonlySet<string>;
  /** Milliseconds since 1970; afterwards nobody of this issuer gets in. */
  readonly nextUpdate: number;
}

/** Revocations by the DER of the issuer's name; plain data that a worker can be sent. */
export type RevocationLists = ReadonlyMap<string, IssuerRevocations>;

/** Why a chain is refused by the revocation lists. */
export type RevocationRefusal = "revoked" | "revocation_list_expired";

/** What files of lists amount to. */
export interface RevocationResult {
  /** Whether there are no problems. */
  readonly ok: boolean;
  /** Of the files without a problem. */
  readonly lists: RevocationLists;
  /** Files of which nothing is taken; `file` is the index. */
  readonly problems: readonly FileNote[];
  /** Lists that concern nobody, because their issuer is not (or no longer) an authority. */
  readonly ignored: readonly FileNote[];
}

/** What there is to say of a file. */
export interface FileNote {
  readonly file: number;
  readonly reason: string;
}

/** Settings of {@link loadRevocationLists}. */
export interface RevocationOptions {
  /** PEM of the authorities that may have signed the lists, each text with one or more. */
  readonly authorities: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

interface ParsedList {
  readonly issuer: string;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly serials: Set<string>;
  readonly signature: Signature;
}

/**
 * Reads revocation lists (RFC 5280 §5), PEM or DER, one or more to a file. Deno 2.9.6 parses the
 * `crl` option of node:tls and then ignores it, so {@link checkRevocation} does the work.
 *
 * A list that is broken, not signed by the authority that it names, not yet valid or with a critical
 * extension we do not know (partial and indirect lists) is a problem of its whole file. A list whose
 * issuer is not among the authorities is ignored: whoever it revokes has no authority, and taking
 * an authority out must not depend on taking its list out in the same moment. A list that has
 * expired loads: it refuses its issuer's certificates until a fresh one comes. A list without
 * entries revokes nothing, and an authority without a list is not checked. Lists of one issuer
 * (name) add up, and the latest `nextUpdate` counts.
 */
export function loadRevocationLists(
  files: readonly Uint8Array[],
  options: RevocationOptions,
): RevocationResult {
  const signers = parseAuthorities(options.authorities);
  const names = new Set(signers.map(({ certificate }) => certificate.subject));
  const lists = new Map<string, { serials: Set<string>; nextUpdate: number }>();
  const problems: FileNote[] = [];
  const ignored: FileNote[] = [];
  for (const [file, bytes] of files.entries()) {
    try {
      const read = decodePem(bytes).map(readList);
      const known = read.filter(({ issuer }) => names.has(issuer));
      for (const list of known) checkList(list, signers, options.nowMs);
      for (const { issuer, serials, nextUpdate } of known) {
        const other = lists.get(issuer);
        lists.set(issuer, {
          serials: other ? other.serials.union(serials) : serials,
          nextUpdate: Math.max(other?.nextUpdate ?? 0, nextUpdate),
        });
      }
      if (known.length < read.length) ignored.push({ file, reason: NO_ISSUER });
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      problems.push({ file, reason: error.message });
    }
  }
  return { ok: problems.length === 0, lists, problems, ignored };
}

const NO_ISSUER = "its issuer is not among the authorities";

/**
 * Holds every certificate a client presented against the lists: which of them made the verified
 * path is not known here, and a revoked one among them is reason enough.
 */
export function checkRevocation(
  chain: readonly Certificate[],
  { lists, nowMs }: { readonly lists: RevocationLists; readonly nowMs: number },
): RevocationRefusal | undefined {
  for (const { issuer, serial } of chain) {
    const list = lists.get(issuer);
    if (list === undefined) continue;
    if (list.serials.has(serial)) return "revoked";
    if (nowMs > list.nextUpdate) return "revocation_list_expired";
  }
  return undefined;
}

function checkList(list: ParsedList, signers: readonly Authority[], nowMs: number): void {
  if (list.thisUpdate > nowMs) throw new DerError("the list is not yet valid");
  if (!isKnownAlgorithm(list.signature.algorithm)) {
    throw new DerError("its signature algorithm is not one of those that are known");
  }
  const candidates = signers.filter(({ certificate }) => certificate.subject === list.issuer);
  const signed = candidates.some(({ key, certificate: { keyUsage } }) =>
    (keyUsage?.(KEY_USAGE.cRLSign) ?? true) && verifySignature(list.signature, key)
  );
  if (!signed) throw new DerError("no authority of that name signed it");
}

/** CertificateList (RFC 5280 §5.1). */
function readList(der: Uint8Array): ParsedList {
  const outer = new DerReader(der);
  const list = outer.inside(TAG.sequence);
  outer.end();
  const signed = list.value(TAG.sequence);
  const algorithm = list.value(TAG.sequence).encoded.toHex();
  const value = octetsOfBits(list.value(TAG.bitString).content);
  list.end();

  const tbs = new DerReader(signed.content);
  tbs.optional(TAG.integer); // version
  if (tbs.value(TAG.sequence).encoded.toHex() !== algorithm) {
    throw new DerError("its two signature algorithms differ");
  }
  const issuer = tbs.value(TAG.sequence).encoded.toHex();
  const thisUpdate = timeOf(tbs.any()) * 1000;
  if (!tbs.nextIs(TAG.utcTime) && !tbs.nextIs(TAG.generalizedTime)) {
    throw new DerError("nextUpdate is missing"); // RFC 5280 §5.1.2.5 requires it
  }
  const nextUpdate = timeOf(tbs.any()) * 1000;
  const serials = new Set<string>();
  if (tbs.nextIs(TAG.sequence)) readEntries(tbs.inside(TAG.sequence), serials);
  const extensions = tbs.optional(0xa0);
  tbs.end();
  if (extensions) refuseCritical(new DerReader(extensions.content).inside(TAG.sequence));
  const signature = { signed: signed.encoded, algorithm, value };
  return { issuer, thisUpdate, nextUpdate, serials, signature };
}

function readEntries(entries: DerReader, serials: Set<string>): void {
  while (!entries.done) {
    const entry = entries.inside(TAG.sequence);
    serials.add(integerHex(entry.value(TAG.integer).content));
    timeOf(entry.any());
    const extensions = entry.optional(TAG.sequence);
    entry.end();
    if (extensions) refuseCritical(new DerReader(extensions.content));
  }
}

/** RFC 5280 §5.2: a list with an unknown critical extension must not be used. */
function refuseCritical(extensions: DerReader): void {
  while (!extensions.done) {
    const extension = extensions.inside(TAG.sequence);
    const oid = oidOf(extension.value(TAG.oid).content);
    const critical = extension.optional(TAG.boolean);
    if (critical && booleanOf(critical.content)) {
      throw new DerError(`its critical extension ${oid} is unknown`);
    }
  }
}

const PEM_LIST = /-----BEGIN (?:X509 )?CRL-----([^-]+)-----END (?:X509 )?CRL-----/g;

/** The lists in a file: PEM (RFC 7468 §7), or the file itself as DER. */
function decodePem(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > MAX_LIST_BYTES) throw new DerError(`it is over ${MAX_LIST_BYTES} octets`);
  if (bytes[0] === TAG.sequence) return [bytes];
  const lists = [...new TextDecoder().decode(bytes).matchAll(PEM_LIST)];
  if (lists.length === 0) throw new DerError("it holds no revocation list");
  return lists.map(([, base64 = ""]) => {
    try {
      return Uint8Array.fromBase64(base64);
    } catch (cause) {
      throw new DerError("its base64 is broken", { cause });
    }
  });
}
