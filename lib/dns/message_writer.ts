import { CLASS_IN, MAX_MESSAGE_BYTES } from "./message.ts";
import { foldCase, type OctetString } from "./octet_string.ts";
import { compressibleNames } from "./rdata_layout.ts";

const HEADER_OCTETS = 12;
/** RFC 1035 §4.1.4: what the 14 bits of a pointer reach. */
const MAX_POINTER = 0x3fff;
const POINTER = 0xc000;
const ROOT = "\0";

/** The sections of a message that have records, in their order. */
export type Section = "answer" | "authority" | "additional";

/** Where the counts of the sections are. */
const COUNT_AT: Readonly<Record<Section, number>> = { answer: 6, authority: 8, additional: 10 };

/** The data of all records of a type that a name has (RFC 2181 §5). */
export interface RecordSet {
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  readonly data: readonly OctetString[];
}

/**
 * Writes a message, names compressed, into a buffer that is used again for the next one. What does
 * not fit is not there at all: record sets go in whole or not (RFC 2181 §9).
 */
export class MessageWriter {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  /** Where names and their endings are. */
  readonly #places = new Map<string, number>();
  #length = HEADER_OCTETS;
  #limit: number = MAX_MESSAGE_BYTES;
  /** Kept for what comes last. */
  #reserved = 0;

  constructor() {
    this.#octets = new Uint8Array(MAX_MESSAGE_BYTES);
    this.#view = new DataView(this.#octets.buffer);
  }

  /** Begins a message of up to `limit` octets, of which `reserved` are for {@link addRaw}. */
  begin(
    { id, flags, limit, reserved = 0 }: {
      readonly id: number;
      readonly flags: number;
      readonly limit: number;
      readonly reserved?: number;
    },
  ): void {
    this.#octets.fill(0, 0, HEADER_OCTETS);
    this.#places.clear();
    this.#length = HEADER_OCTETS;
    this.#limit = Math.min(limit, MAX_MESSAGE_BYTES);
    this.#reserved = reserved;
    this.#view.setUint16(0, id);
    this.#view.setUint16(2, flags);
  }

  /** Octets so far. */
  get length(): number {
    return this.#length;
  }

  /** Sets bits of the header's second word. */
  setFlags(bits: number): void {
    this.#view.setUint16(2, this.#view.getUint16(2) | bits);
  }

  /** Adds the question: its name as it was asked, in the same case. */
  addQuestion(name: OctetString, { type, class: kind }: { type: number; class: number }): void {
    this.#writeName(name);
    this.#writeU16(type);
    this.#writeU16(kind);
    this.#view.setUint16(4, this.#view.getUint16(4) + 1);
  }

  /** Adds all records of a set, or none of them; whether there was room. */
  addSet(section: Section, name: OctetString, { type, ttl, data }: RecordSet): boolean {
    const start = this.#length;
    const room = this.#limit - this.#reserved;
    for (const own of data) {
      this.#writeRecord(name, { type, ttl, data: own });
      if (this.#length > room) {
        this.#undo(start);
        return false;
      }
    }
    this.#count(section, data.length);
    return true;
  }

  /** Adds a record that is complete, such as OPT, in the place that was kept for it. */
  addRaw(section: Section, record: Uint8Array): void {
    this.#octets.set(record, this.#length);
    this.#length += record.length;
    this.#reserved -= record.length;
    this.#count(section, 1);
  }

  /** The message, in memory of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#octets.slice(0, this.#length) as Uint8Array<ArrayBuffer>;
  }

  #count(section: Section, records: number): void {
    const at = COUNT_AT[section];
    this.#view.setUint16(at, this.#view.getUint16(at) + records);
  }

  #undo(length: number): void {
    this.#length = length;
    for (const [key, place] of this.#places) {
      if (place >= length) this.#places.delete(key);
    }
  }

  #writeRecord(
    name: OctetString,
    { type, ttl, data }: {
      readonly type: number;
      readonly ttl: number;
      readonly data: OctetString;
    },
  ): void {
    this.#writeName(name);
    this.#writeU16(type);
    this.#writeU16(CLASS_IN);
    this.#writeU16(ttl >>> 16);
    this.#writeU16(ttl & 0xffff);
    const lengthAt = this.#length;
    this.#writeU16(0);
    this.#writeData(type, data);
    if (this.#length <= this.#octets.length) {
      this.#view.setUint16(lengthAt, this.#length - lengthAt - 2);
    }
  }

  #writeData(type: number, data: OctetString): void {
    const names = compressibleNames(type);
    let at = names?.skip ?? 0;
    this.#writeOctets(data, 0, at);
    for (let left = names?.count ?? 0; left > 0; left--) {
      const end = endOfName(data, at);
      this.#writeName(data.slice(at, end));
      at = end;
    }
    this.#writeOctets(data, at, data.length);
  }

  #writeName(name: OctetString): void {
    const key = foldCase(name);
    for (let at = 0; at < name.length - 1;) {
      const suffix = key.slice(at);
      const place = this.#places.get(suffix);
      if (place !== undefined) return this.#writeU16(POINTER | place);
      if (this.#length <= MAX_POINTER) this.#places.set(suffix, this.#length);
      const end = at + 1 + name.charCodeAt(at);
      this.#writeOctets(name, at, end);
      at = end;
    }
    this.#writeOctets(ROOT, 0, 1);
  }

  #writeU16(value: number): void {
    if (this.#length + 2 <= this.#octets.length) this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  /** What is beyond the buffer is only counted: it is beyond the limit, too. */
  #writeOctets(text: OctetString, start: number, end: number): void {
    const octets = this.#octets;
    const length = this.#length;
    this.#length += end - start;
    if (this.#length > octets.length) return;
    for (let i = start; i < end; i++) octets[length + i - start] = text.charCodeAt(i);
  }
}

/** Where the name that begins at `at` ends, in data that is valid. */
function endOfName(data: OctetString, at: number): number {
  let end = at;
  while (data.charCodeAt(end) > 0) end += 1 + data.charCodeAt(end);
  return end + 1;
}
