import {
  CLASS_IN,
  type Message,
  type Name,
  nameEquals,
  type OctetString,
  octetString,
  readRdata,
  serialIn,
  TYPE,
} from "../dns/mod.ts";
import { concat, u16 } from "../wire/mod.ts";

const OPCODE_NOTIFY = 4;
const AUTHORITATIVE = 0x0400;

/** A server's word that a zone has changed (RFC 1996). */
export interface Notify {
  readonly id: number;
  readonly zone: OctetString;
  /** Of the SOA record that came with it: a hint and no more (RFC 1996 §3.7). */
  readonly serial: number | undefined;
}

/** Reads such a word: undefined if it is something else. */
export function readNotify(
  { header, questions: [question, ...more], answers: [hint] }: Message,
  octets: Uint8Array,
): Notify | "malformed" | undefined {
  if (header.opcode !== OPCODE_NOTIFY || header.isResponse) return undefined;
  if (question === undefined || more.length > 0 || question.class !== CLASS_IN) return "malformed";
  if (question.type !== TYPE.SOA) return "malformed";
  const isHint = hint?.type === TYPE.SOA && nameEquals(hint.name, question.name);
  const data = isHint ? readRdata(octets, TYPE.SOA, hint.data) : undefined;
  return {
    id: header.id,
    zone: octetString(question.name),
    serial: data === undefined ? undefined : serialIn(octetString(data)),
  };
}

/** The message that says that a zone has changed. */
export function encodeNotify(id: number, zone: Name): Uint8Array<ArrayBuffer> {
  const flags = OPCODE_NOTIFY << 11 | AUTHORITATIVE;
  const header = [u16(id), u16(flags), u16(1), u16(0), u16(0), u16(0)];
  return concat(...header, zone, u16(TYPE.SOA), u16(CLASS_IN));
}

/** Whether a message is the answer to such a one; whatever it says, it was heard. */
export function isNotifyAnswer(
  { header, questions: [question] }: Message,
  { id, zone }: { readonly id: number; readonly zone: Name },
): boolean {
  if (!header.isResponse || header.opcode !== OPCODE_NOTIFY || header.id !== id) return false;
  return question === undefined || nameEquals(question.name, zone);
}
