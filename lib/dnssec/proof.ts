import {
  foldCase,
  type Message,
  type OctetString,
  octetString,
  readRdata,
  type RecordSet,
  type ResourceRecord,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { find, LookUp, setOf, type Zone } from "../zones/mod.ts";
import { denialOf } from "./denial.ts";

/** A set under a name; whether it is ours to sign. */
export interface ProvenSet extends RecordSet {
  readonly owner: OctetString;
  readonly isSigned: boolean;
}

/** What a signed answer has in its sections, without the signatures. */
export interface Proof {
  readonly code: number;
  readonly answers: readonly ProvenSet[];
  readonly authorities: readonly ProvenSet[];
  readonly additionals: readonly ProvenSet[];
}

/**
 * Adds to an answer what proves it: that a name or a type is not there, or that a zone below is signed
 * or is not. A name that is not there is one without data (RFC 9824 §3.1), so NXDOMAIN becomes NOERROR.
 */
export function proveAnswer(zone: Zone, message: Message, octets: Uint8Array): Proof | undefined {
  const [question] = message.questions;
  const answers = readSets(message.answers, octets);
  const authorities = readSets(message.authorities, octets);
  const additionals = readSets(message.additionals, octets);
  if (question === undefined || !answers || !authorities || !additionals) return undefined;
  const { responseCode } = message.header;
  const code = responseCode === ResponseCode.nameError ? ResponseCode.noError : responseCode;
  const proof = {
    ...{ code, additionals: additionals.map((set) => ({ ...set, isSigned: false })) },
    answers: answers.map((set) => ({ ...set, isSigned: isOurs(zone, set) })),
  };
  const proven: ProvenSet[] = [];
  for (const set of authorities) {
    const isCut = set.type === TYPE.NS && foldCase(set.owner) !== zone.apexKey;
    proven.push({ ...set, isSigned: !isCut });
    if (isCut) proven.push(delegationProof(zone, set.owner));
    if (set.type !== TYPE.SOA) continue;
    const owner = endOfAliases(octetString(question.name), answers);
    const denial = { ...denialOf(zone, owner), owner, isSigned: true };
    if (question.type === TYPE.NSEC) {
      return { ...proof, answers: [...proof.answers, denial], authorities: [] };
    }
    proven.push(denial);
  }
  return { ...proof, authorities: proven };
}

/** RFC 4035 §3.1.4: the DS set, or that there is none. */
function delegationProof(zone: Zone, cut: OctetString): ProvenSet {
  const node = zone.nodes.get(foldCase(cut));
  const signers = node && setOf(node, TYPE.DS);
  return { ...signers ?? denialOf(zone, cut), owner: cut, isSigned: true };
}

/** RFC 6672 §5.3.1: the alias of one name that a DNAME record stands for is not signed. */
function isOurs(zone: Zone, { owner, type }: OwnedSet): boolean {
  const lookUp = new LookUp(owner);
  if (!lookUp.isBelow(zone.apexKey)) return false;
  return type !== TYPE.CNAME || find(zone, lookUp).kind !== "below_alias";
}

function endOfAliases(name: OctetString, answers: readonly OwnedSet[]): OctetString {
  let end = name;
  // An alias is not listed twice, so that this ends.
  for (const { type, owner, data: [target] } of answers) {
    if (type === TYPE.CNAME && target !== undefined && foldCase(owner) === foldCase(end)) {
      end = target;
    }
  }
  return end;
}

interface OwnedSet extends RecordSet {
  readonly owner: OctetString;
}

/** The sets of a section of an answer of ours, without OPT. */
function readSets(
  records: readonly ResourceRecord[],
  octets: Uint8Array,
): OwnedSet[] | undefined {
  const sets: { owner: OctetString; type: number; ttl: number; data: OctetString[] }[] = [];
  for (const { name, type, ttl, data: place } of records) {
    if (type === TYPE.OPT) continue;
    const data = readRdata(octets, type, place);
    if (data === undefined) return undefined;
    const owner = octetString(name);
    const last = sets.at(-1);
    if (last?.type === type && last.owner === owner) last.data.push(octetString(data));
    else sets.push({ owner, type, ttl, data: [octetString(data)] });
  }
  return sets;
}
