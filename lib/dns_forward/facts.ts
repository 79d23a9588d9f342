import {
  CLASS_IN,
  foldCase,
  type Message,
  octetsOf,
  type OctetString,
  octetString,
  readRdata,
  type RecordSet,
  type ResourceRecord,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { isBelow } from "./names.ts";

/** Aliases that are followed within one answer; honest chains are two or three long. */
const MAX_ALIASES = 16;
/** RFC 5155. */
const NSEC3 = 50;
/** What proves that something is not there, or that a wildcard stands for it. */
const PROOFS: readonly number[] = [TYPE.NSEC, NSEC3];
/** Answers say who signs what in the first two octets of a signature's data. */
const COVERED_OCTETS = 2;

/** A set of records under a name. */
export interface OwnedSet extends RecordSet {
  readonly owner: OctetString;
}

/** What an upstream's message says about a question, and nothing else of it. */
export interface Facts {
  readonly code: number;
  readonly answers: readonly OwnedSet[];
  readonly authorities: readonly OwnedSet[];
  /** Whether there is nothing of the type. */
  readonly isNegative: boolean;
  /** Seconds that this may be remembered; 0: not at all. */
  readonly ttl: number;
  /** AD, of an upstream that is believed. */
  readonly isAuthentic: boolean;
  /** A name that the answer leads to and about which it has not said anything that counts. */
  readonly next?: OctetString;
}

/** What is asked, and whose word counts how far. */
export interface FactsOptions {
  /** With its case folded. */
  readonly key: OctetString;
  readonly type: number;
  readonly isDnssecOk: boolean;
  readonly isTrusted: boolean;
  /** Whether the upstream may speak of a name (its case folded). */
  readonly isTheirs: (key: OctetString) => boolean;
}

/**
 * Reads what a message says about a question. Only what hangs together with it counts: its name, the
 * names that aliases lead to, and of other sections what tells how long nothing is there. Whatever
 * else a server adds is nobody's business (RFC 5452 §6), least of all names of other servers' zones.
 *
 * @returns why it says nothing.
 */
export function readFacts(
  message: Message,
  bytes: Uint8Array,
  options: FactsOptions,
): Facts | string {
  const { responseCode: code, isAuthoritative, recursionAvailable } = message.header;
  const isAnswer = code === ResponseCode.noError || code === ResponseCode.nameError ||
    code === ResponseCode.yxDomain;
  if (!isAnswer) return `the upstream answers with code ${code}`;
  const sets = readSets(message.answers, bytes);
  const others = readSets(message.authorities, bytes);
  if (sets === undefined || others === undefined) return "the data of a record is not valid";
  const { answers, key, isFound, isCut, isEndless } = followAliases(sets, options);
  if (isEndless) return "aliases without end";
  const isAuthentic = options.isTrusted && ((bytes[3] as number) & 0x20) !== 0;
  const proofs = options.isDnssecOk ? proofsOf(others, options) : [];
  const facts = { code, answers, isAuthentic };
  if (isFound) {
    return {
      ...{ ...facts, code: ResponseCode.noError, authorities: proofs, isNegative: false },
      ttl: leastTtl([...answers, ...proofs]),
    };
  }
  if (isCut) {
    const ttl = leastTtl(answers);
    return { ...facts, code: 0, authorities: [], isNegative: false, ttl, next: key };
  }
  const soa = others.find((set) => set.type === TYPE.SOA && isBelow(key, foldCase(set.owner)));
  if (soa === undefined && code === ResponseCode.noError) {
    if (answers.length > 0) {
      const ttl = leastTtl(answers);
      return { ...facts, authorities: [], isNegative: false, ttl, next: key };
    }
    // A referral: whoever sends it does not look names up.
    const isReferral = others.some(({ type }) => type === TYPE.NS);
    if (isReferral && !recursionAvailable && !isAuthoritative) return "the upstream only refers";
  }
  const negative = soa === undefined ? [] : [negativeSoa(soa)];
  const signatures = others.filter((set) =>
    options.isDnssecOk && soa !== undefined && isSignatureOf(set, TYPE.SOA) &&
    foldCase(set.owner) === foldCase(soa.owner)
  );
  const authorities = [...negative, ...signatures, ...proofs];
  // RFC 2308 §5: without a SOA record nothing says for how long.
  const ttl = soa === undefined ? 0 : leastTtl([...answers, ...authorities]);
  return { ...facts, authorities, isNegative: true, ttl };
}

interface Chain {
  readonly answers: readonly OwnedSet[];
  /** Where it ends. */
  readonly key: OctetString;
  readonly isFound: boolean;
  /** It leads to a name of which others know. */
  readonly isCut: boolean;
  readonly isEndless: boolean;
}

function followAliases(sets: readonly OwnedSet[], options: FactsOptions): Chain {
  const { type, isDnssecOk, isTheirs } = options;
  const answers: OwnedSet[] = [];
  let key = options.key;
  const take = (owner: OctetString, wanted: number): OwnedSet | undefined => {
    const own = sets.filter((set) => foldCase(set.owner) === owner);
    const found = own.find((set) => set.type === wanted);
    if (found === undefined || answers.includes(found)) return found;
    answers.push(found);
    if (isDnssecOk) answers.push(...own.filter((set) => isSignatureOf(set, wanted)));
    return found;
  };
  const end = { isFound: false, isCut: false, isEndless: false };
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    if (take(key, type) !== undefined) return { ...end, answers, key, isFound: true };
    const above = sets.find((set) =>
      set.type === TYPE.DNAME && set.owner.length < key.length &&
      isBelow(key, foldCase(set.owner)) && isTheirs(foldCase(set.owner))
    );
    if (above !== undefined) take(foldCase(above.owner), TYPE.DNAME);
    const alias = take(key, TYPE.CNAME);
    if (alias === undefined) return { ...end, answers, key };
    key = foldCase(alias.data[0] as OctetString);
    if (!isTheirs(key)) return { ...end, answers, key, isCut: true };
  }
  return { ...end, answers, key, isEndless: true };
}

/** The sets of a section, each with the least of its records' TTLs (RFC 2181 §5.2). */
function readSets(
  records: readonly ResourceRecord[],
  bytes: Uint8Array,
): OwnedSet[] | undefined {
  const sets = new Map<string, { owner: OctetString; type: number; ttl: number; data: string[] }>();
  for (const { name, type, class: kind, ttl, data: place } of records) {
    if (kind !== CLASS_IN || type === TYPE.OPT) continue;
    const data = readRdata(bytes, type, place);
    if (data === undefined) return undefined;
    const own = octetString(data);
    const owner = octetString(name);
    const covered = type === TYPE.RRSIG ? own.slice(0, COVERED_OCTETS) : "";
    const key = `${type} ${covered} ${foldCase(owner)}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, { owner, type, ttl, data: [own] });
    else {
      set.ttl = Math.min(set.ttl, ttl);
      if (!set.data.includes(own)) set.data.push(own);
    }
  }
  return [...sets.values()];
}

function proofsOf(others: readonly OwnedSet[], { isTheirs }: FactsOptions): OwnedSet[] {
  return others.filter((set) =>
    isTheirs(foldCase(set.owner)) &&
    PROOFS.some((proof) => set.type === proof || isSignatureOf(set, proof))
  );
}

function isSignatureOf({ type, data: [own = ""] }: OwnedSet, covered: number): boolean {
  return type === TYPE.RRSIG && (own.charCodeAt(0) << 8 | own.charCodeAt(1)) === covered;
}

/** RFC 2308 §5: its TTL is the lesser of its own and its last field. */
function negativeSoa(soa: OwnedSet): OwnedSet {
  const octets = octetsOf(soa.data[0] as OctetString);
  const minimum = new DataView(octets.buffer).getUint32(octets.length - 4);
  return { ...soa, data: soa.data.slice(0, 1), ttl: Math.min(soa.ttl, minimum) };
}

function leastTtl(sets: readonly OwnedSet[]): number {
  return sets.reduce((least, { ttl }) => Math.min(least, ttl), Infinity);
}
