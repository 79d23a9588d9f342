import {
  CLASS_IN,
  foldCase,
  isLaterSerial,
  type Message,
  type Name,
  nameEquals,
  nameKey,
  octetString,
  readRdata,
  type ResourceRecord,
  serialIn,
  TYPE,
} from "../dns/mod.ts";
import type { Step, TransferRecord } from "./writer.ts";

/** More than this many records of one answer are not taken; a million take some 400 MB. */
const MAX_RECORDS = 2_000_000;

/** What an answer brought. */
export type TransferResult =
  | { readonly kind: "current" }
  | { readonly kind: "whole"; readonly records: readonly TransferRecord[] }
  | { readonly kind: "steps"; readonly steps: readonly Step[] };

/** What follows from a message: more of them, the end, or why there is none. */
export type TransferEnd =
  | { readonly kind: "need" }
  | { readonly kind: "end"; readonly result: TransferResult }
  | { readonly kind: "failed"; readonly reason: string; readonly code?: number };

const NEED = { kind: "need" } as const;

/** Reads the messages that answer a question for a zone, in their order (RFC 5936 §2.2, RFC 1995 §4). */
export class TransferReader {
  readonly #id: number;
  readonly #zone: Name;
  readonly #serial: number | undefined;
  readonly #most: number;
  readonly #records: TransferRecord[] = [];
  readonly #steps: {
    from: number;
    to: number;
    removed: TransferRecord[];
    added: TransferRecord[];
  }[] = [];
  #first: TransferRecord | undefined;
  /** What the second record showed: changes begin with a second SOA record. */
  #form: "unknown" | "whole" | "steps" = "unknown";
  #isAdding = false;
  #count = 0;

  constructor(
    { id, zone, serial, maxRecords = MAX_RECORDS }: {
      readonly id: number;
      readonly zone: Name;
      /** What we have; undefined: the zone was asked for as a whole. */
      readonly serial: number | undefined;
      readonly maxRecords?: number;
    },
  ) {
    this.#id = id;
    this.#zone = zone;
    this.#serial = serial;
    this.#most = maxRecords;
  }

  /** Takes the next message. */
  take(message: Message, octets: Uint8Array): TransferEnd {
    const { header, questions, answers } = message;
    if (!header.isResponse || header.opcode !== 0 || header.id !== this.#id) {
      return failed("an answer to something else");
    }
    if (header.responseCode !== 0) {
      const code = header.responseCode;
      return { ...failed(`it answers with code ${code}`), code };
    }
    if (header.isTruncated) return failed("an answer that is cut off");
    const [question] = questions;
    if (question !== undefined && !nameEquals(question.name, this.#zone)) {
      return failed("an answer about another zone");
    }
    if (this.#first === undefined && answers.length === 0) return failed("an answer of nothing");
    const isLone = this.#first === undefined && answers.length === 1;
    for (const [i, record] of answers.entries()) {
      const end = this.#takeRecord(record, octets);
      if (end.kind === "need") continue;
      return end.kind === "failed" || i === answers.length - 1
        ? end
        : failed("records after the last one");
    }
    // RFC 1995 §4: one SOA record alone, no newer than ours.
    const only = isLone && this.#serial !== undefined ? this.#first : undefined;
    const isCurrent = only !== undefined &&
      !isLaterSerial(serialIn(only.data), this.#serial as number);
    return isCurrent ? { kind: "end", result: { kind: "current" } } : NEED;
  }

  #takeRecord(record: ResourceRecord, octets: Uint8Array): TransferEnd {
    if (++this.#count > this.#most) return failed(`more than ${this.#most} records`);
    if (record.class !== CLASS_IN) return failed("a record of another class");
    const data = readRdata(octets, record.type, record.data);
    if (data === undefined) return failed("a record whose data is not valid");
    const { type, ttl } = record;
    const own = { name: octetString(record.name), type, ttl, data: octetString(data) };
    if (type === TYPE.SOA && foldCase(own.name) !== nameKey(this.#zone)) {
      return failed("a SOA record of another zone");
    }
    if (this.#first === undefined) {
      if (type !== TYPE.SOA) return failed("an answer that does not begin with a SOA record");
      this.#first = own;
      return NEED;
    }
    if (this.#form === "unknown") {
      const isDifference = type === TYPE.SOA && this.#serial !== undefined &&
        own.data !== this.#first.data;
      this.#form = isDifference ? "steps" : "whole";
    }
    return this.#form === "whole"
      ? this.#takeOfWhole(own, this.#first)
      : this.#takeOfStep(own, this.#first);
  }

  #takeOfWhole(own: TransferRecord, first: TransferRecord): TransferEnd {
    if (own.type !== TYPE.SOA) {
      this.#records.push(own);
      return NEED;
    }
    if (own.data !== first.data) return failed("a zone that changed under way");
    return { kind: "end", result: { kind: "whole", records: [first, ...this.#records] } };
  }

  /** RFC 1995 §4: the SOA record of before, what goes, the SOA record of after, what comes. */
  #takeOfStep(own: TransferRecord, first: TransferRecord): TransferEnd {
    const step = this.#steps.at(-1);
    if (own.type !== TYPE.SOA) {
      if (step === undefined) return failed("changes of no version");
      (this.#isAdding ? step.added : step.removed).push(own);
      return NEED;
    }
    const serial = serialIn(own.data);
    if (step !== undefined && !this.#isAdding) {
      if (!isLaterSerial(serial, step.from)) return failed("changes that lead back");
      step.to = serial;
      step.added.push(own);
      this.#isAdding = true;
      return NEED;
    }
    if (step !== undefined && step.to === serialIn(first.data)) {
      if (own.data !== first.data) return failed("changes that end in another version");
      return { kind: "end", result: { kind: "steps", steps: this.#steps } };
    }
    if (serial !== (step?.to ?? this.#serial)) return failed("changes of another version");
    this.#steps.push({ from: serial, to: serial, removed: [own], added: [] });
    this.#isAdding = false;
    return NEED;
  }
}

function failed(reason: string): { readonly kind: "failed"; readonly reason: string } {
  return { kind: "failed", reason };
}
