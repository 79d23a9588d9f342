import {
  CLASS_IN,
  type Message,
  type Name,
  type OctetString,
  octetString,
  readRdata,
  serialIn,
  TYPE,
} from "../dns/mod.ts";
import { concat, u16, u32 } from "../wire/mod.ts";

/** A question for a zone's records. */
export interface TransferQuery {
  readonly id: number;
  /** As it was asked. */
  readonly zone: OctetString;
  readonly type: typeof TYPE.AXFR | typeof TYPE.IXFR;
  /** What whoever asks has; undefined: nothing. */
  readonly serial: number | undefined;
}

/** Reads the question of a message: undefined if it is for something else, "malformed" if for nothing. */
export function readTransferQuery(
  { header, questions, answers, authorities }: Message,
  octets: Uint8Array,
): TransferQuery | "malformed" | undefined {
  const [question, ...more] = questions;
  if (header.isResponse || header.opcode !== 0 || question === undefined) return undefined;
  const { type } = question;
  if (type !== TYPE.AXFR && type !== TYPE.IXFR) return undefined;
  if (more.length > 0 || question.class !== CLASS_IN || answers.length > 0) return "malformed";
  const query = { id: header.id, zone: octetString(question.name), type } as const;
  if (type === TYPE.AXFR) return { ...query, type, serial: undefined };
  const [soa] = authorities; // RFC 1995 §3.
  if (soa?.type !== TYPE.SOA) return "malformed";
  const data = readRdata(octets, TYPE.SOA, soa.data);
  if (data === undefined) return "malformed";
  return { ...query, type, serial: serialIn(octetString(data)) };
}

/** A question for a zone: for what changed since a serial, or for all of it. */
export function encodeTransferQuery(
  { id, zone, serial }: {
    readonly id: number;
    readonly zone: Name;
    readonly serial: number | undefined;
  },
): Uint8Array<ArrayBuffer> {
  const type = serial === undefined ? TYPE.AXFR : TYPE.IXFR;
  const header = [u16(id), u16(0), u16(1), u16(0), u16(serial === undefined ? 0 : 1), u16(0)];
  const question = [zone, u16(type), u16(CLASS_IN)];
  if (serial === undefined) return concat(...header, ...question);
  // Of the SOA record only its serial counts (RFC 1995 §3): the root's name for the others.
  const data = concat(Uint8Array.of(0, 0), u32(serial), new Uint8Array(16));
  const soa = [zone, u16(TYPE.SOA), u16(CLASS_IN), u32(0), u16(data.length), data];
  return concat(...header, ...question, ...soa);
}
