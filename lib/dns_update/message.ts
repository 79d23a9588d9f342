import {
  CLASS_IN,
  foldCase,
  isDataType,
  type Message,
  type OctetString,
  octetString,
  readRdata,
  type ResourceRecord,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";

const OPCODE_UPDATE = 5;
const CLASS_NONE = 254;
const CLASS_ANY = 255;
/** More in one message is no change of a few names; a zone is imported in other ways. */
const MAX_CHANGES = 1000;

/** Codes of answers to changes (RFC 2136 §2.2). */
export const UPDATE_CODE = Object.freeze({
  ...ResponseCode,
  yxDomain: 6,
  yxRrset: 7,
  nxRrset: 8,
  notAuth: 9,
  notZone: 10,
});

/** What is to be of a name (RFC 2136 §2.4, §2.5). `key` is its name with its case folded. */
export type Change =
  | { readonly kind: "add"; readonly record: ChangedRecord }
  | { readonly kind: "remove"; readonly record: Omit<ChangedRecord, "ttl"> }
  | { readonly kind: "remove_set"; readonly key: OctetString; readonly type: number }
  | { readonly kind: "remove_name"; readonly key: OctetString };

/** A record that is to come or to go. */
export interface ChangedRecord {
  readonly name: OctetString;
  readonly key: OctetString;
  readonly type: number;
  readonly ttl: number;
  readonly data: OctetString;
}

/** What has to be so for changes to be made (RFC 2136 §2.4). */
export type Prerequisite =
  | { readonly kind: "name"; readonly key: OctetString; readonly isThere: boolean }
  | {
    readonly kind: "set";
    readonly key: OctetString;
    readonly type: number;
    readonly isThere: boolean;
  }
  /** One of those that together are a whole set. */
  | { readonly kind: "record"; readonly record: Omit<ChangedRecord, "ttl"> };

/** A message that asks for changes. */
export interface Update {
  readonly id: number;
  /** Of the zone. */
  readonly origin: OctetString;
  readonly prerequisites: readonly Prerequisite[];
  readonly changes: readonly Change[];
}

/** Whether a message asks for changes, be it well or not. */
export function isUpdate({ header }: Message): boolean {
  return header.opcode === OPCODE_UPDATE && !header.isResponse;
}

/** Reads such a message; the code of its answer where it cannot be. */
export function readUpdate(message: Message, octets: Uint8Array): Update | number {
  const { header, questions: [zone, ...more], answers, authorities } = message;
  if (zone === undefined || more.length > 0 || zone.type !== TYPE.SOA) {
    return UPDATE_CODE.formatError;
  }
  if (zone.class !== CLASS_IN) return UPDATE_CODE.notAuth;
  if (answers.length + authorities.length > MAX_CHANGES) return UPDATE_CODE.refused;
  const prerequisites: Prerequisite[] = [];
  for (const record of answers) {
    const prerequisite = readPrerequisite(record, octets);
    if (prerequisite === undefined) return UPDATE_CODE.formatError;
    prerequisites.push(prerequisite);
  }
  const changes: Change[] = [];
  for (const record of authorities) {
    const change = readChange(record, octets);
    if (change === undefined) return UPDATE_CODE.formatError;
    changes.push(change);
  }
  return { id: header.id, origin: octetString(zone.name), prerequisites, changes };
}

/** RFC 2136 §3.2. */
function readPrerequisite(record: ResourceRecord, octets: Uint8Array): Prerequisite | undefined {
  const { type, ttl, class: kind } = record;
  const key = foldCase(octetString(record.name));
  if (ttl !== 0) return undefined;
  if (kind === CLASS_IN) {
    const own = readRecord(record, octets);
    return own && { kind: "record", record: own };
  }
  if ((kind !== CLASS_ANY && kind !== CLASS_NONE) || !isEmpty(record)) return undefined;
  const isThere = kind === CLASS_ANY;
  if (type === TYPE.ANY) return { kind: "name", key, isThere };
  return isDataType(type) ? { kind: "set", key, type, isThere } : undefined;
}

/** RFC 2136 §3.4.1. */
function readChange(record: ResourceRecord, octets: Uint8Array): Change | undefined {
  const { type, ttl, class: kind } = record;
  const key = foldCase(octetString(record.name));
  if (kind === CLASS_IN) {
    const own = readRecord(record, octets);
    return own && { kind: "add", record: { ...own, ttl } };
  }
  if (ttl !== 0) return undefined;
  if (kind === CLASS_NONE) {
    const own = readRecord(record, octets);
    return own && { kind: "remove", record: own };
  }
  if (kind !== CLASS_ANY || !isEmpty(record)) return undefined;
  if (type === TYPE.ANY) return { kind: "remove_name", key };
  return isDataType(type) ? { kind: "remove_set", key, type } : undefined;
}

function readRecord(
  { name, type, data: place }: ResourceRecord,
  octets: Uint8Array,
): Omit<ChangedRecord, "ttl"> | undefined {
  const data = isDataType(type) ? readRdata(octets, type, place) : undefined;
  if (data === undefined) return undefined;
  const own = octetString(name);
  return { name: own, key: foldCase(own), type, data: octetString(data) };
}

function isEmpty({ data: { start, end } }: ResourceRecord): boolean {
  return start === end;
}
