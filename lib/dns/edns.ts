import { Cursor, joined, u16 } from "../wire/mod.ts";
import type { Message, ResourceRecord } from "./message.ts";
import { TYPE } from "./record_types.ts";

/** Of OPT beside its options: the root's name, type, payload size, flags and length. */
const OPT_OCTETS = 11;
/** RFC 6891 §6.2.3: less is read as this. */
const LEAST_PAYLOAD = 512;
const DNSSEC_OK = 0x8000;

/** Codes of options (RFC 7873, RFC 8914). */
export const OPTION = Object.freeze({ cookie: 10, extendedError: 15 });

/** An option of EDNS. */
export interface EdnsOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** What a message says by EDNS (RFC 6891). */
export interface Edns {
  readonly version: number;
  /** Octets that its sender takes over UDP. */
  readonly payloadOctets: number;
  readonly isDnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

/**
 * What a message says by EDNS: undefined if nothing, "invalid" if it says so twice, under a name, or
 * with options that are cut off (RFC 6891 §6.1.1: FORMERR).
 */
export function readEdns(message: Message, octets: Uint8Array): Edns | undefined | "invalid" {
  const all = [...message.answers, ...message.authorities, ...message.additionals];
  const found = all.filter(({ type }) => type === TYPE.OPT);
  const [record] = found;
  if (record === undefined) return undefined;
  if (found.length > 1 || record.name.length !== 1 || !message.additionals.includes(record)) {
    return "invalid";
  }
  const options = readOptions(octets, record);
  if (options === undefined) return "invalid";
  return {
    version: record.ttl >>> 16 & 0xff,
    payloadOctets: Math.max(LEAST_PAYLOAD, record.class),
    isDnssecOk: (record.ttl & DNSSEC_OK) !== 0,
    options,
  };
}

function readOptions(
  octets: Uint8Array,
  { data: { start, end } }: ResourceRecord,
): EdnsOption[] | undefined {
  const cursor = new Cursor(octets, start, end);
  const options: EdnsOption[] = [];
  while (cursor.remaining > 0) {
    const code = cursor.u16();
    const value = cursor.take(cursor.u16() ?? -1);
    if (code === undefined || value === undefined) return undefined;
    options.push({ code, value });
  }
  return options;
}

/** The OPT record of an answer. */
export function encodeOpt(
  { payloadOctets, isDnssecOk, extendedCode = 0, options = [] }: {
    readonly payloadOctets: number;
    readonly isDnssecOk: boolean;
    /** The upper eight bits of the response code. */
    readonly extendedCode?: number;
    readonly options?: readonly EdnsOption[];
  },
): Uint8Array<ArrayBuffer> {
  const data = joined(
    options.flatMap(({ code, value }) => [u16(code), u16(value.length), value]),
  );
  const opt = new Uint8Array(OPT_OCTETS + data.length);
  const view = new DataView(opt.buffer);
  view.setUint16(1, TYPE.OPT);
  view.setUint16(3, payloadOctets);
  view.setUint8(5, extendedCode);
  view.setUint16(7, isDnssecOk ? DNSSEC_OK : 0);
  view.setUint16(9, data.length);
  opt.set(data, OPT_OCTETS);
  return opt;
}
