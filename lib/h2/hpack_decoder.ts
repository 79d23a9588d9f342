import { BAD_VALUE, NEVER_INDEXED, tagName } from "./field_names.ts";
import { STATIC_COUNT, STATIC_NAMES, STATIC_TAGS, STATIC_VALUES } from "./hpack_static.ts";
import { DecoderTable } from "./hpack_table.ts";
import { StringReader } from "./string_reader.ts";

/** Takes the fields of a block one by one, in order. */
export interface FieldSink {
  /** `tag` is the kind and the flags of `field_names.ts`. */
  field(name: string, value: string, tag: number): void;
  /** It takes no more of this block: entries of the tables are only checked, not looked up. */
  readonly full?: boolean;
}

/** Table size of a connection that agreed on nothing else (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_SIZE = 4096;
/** A size update may come twice: down to the lowest value in between, then up (RFC 7541 §4.2). */
const MAX_SIZE_UPDATES = 2;
/** Continuation octets of an integer: 5 carry 35 bits, more than any length here. */
const MAX_INTEGER_OCTETS = 4;
const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Decodes header blocks of one direction of one connection (RFC 7541). The dynamic table lives as
 * long as the connection, so every block must pass through here, in order and to its end, even if
 * nobody wants its fields.
 *
 * @example
 * ```ts
 * import { HpackDecoder } from "./hpack_decoder.ts";
 * import assert from "node:assert/strict";
 *
 * const fields: string[] = [];
 * const decoder = new HpackDecoder();
 * const block = Uint8Array.of(0x82, 0x84); // two entries of the static table
 * assert(decoder.decode(block, { field: (name, value) => fields.push(`${name}=${value}`) }));
 * assert.deepEqual(fields, [":method=GET", ":path=/"]);
 * ```
 */
export class HpackDecoder {
  readonly #table: DecoderTable;
  readonly #strings = new StringReader();
  #limit: number;
  #failure = "";
  #at = 0;
  #end = 0;
  #bytes: Uint8Array = NOTHING;
  #name = "";
  #nameTag = 0;

  /** `tableSize`: what our SETTINGS_HEADER_TABLE_SIZE allows the peer to use, in octets. */
  constructor(tableSize: number = DEFAULT_TABLE_SIZE) {
    this.#limit = tableSize;
    this.#table = new DecoderTable(Math.min(tableSize, DEFAULT_TABLE_SIZE));
  }

  /** Why the last `decode` answered `false`. */
  get failure(): string {
    return this.#failure;
  }

  /** Octets in the dynamic table, by HPACK's count. */
  get tableSize(): number {
    return this.#table.size;
  }

  /** Sets what our SETTINGS allow the peer to use; it may follow with a size update. */
  setTableLimit(octets: number): void {
    this.#limit = octets;
    if (octets < this.#table.maxSize) this.#table.resize(octets);
  }

  /**
   * Decodes one whole block into `sink`. `false` is a compression error: the table no longer
   * matches the peer's and the connection must end (RFC 9113 §4.3).
   */
  decode(bytes: Uint8Array, sink: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
    const done = this.#sizeUpdates() && this.#fields(sink);
    this.#bytes = NOTHING; // an idle connection must not keep a receive buffer alive
    return done;
  }

  #fields(sink: FieldSink): boolean {
    while (this.#at < this.#end) {
      if (!this.#representation(this.#bytes[this.#at] as number, sink)) return false;
    }
    return true;
  }

  #sizeUpdates(): boolean {
    let updates = 0;
    while (((this.#bytes[this.#at] as number) & 0xe0) === 0x20) {
      if (++updates > MAX_SIZE_UPDATES) return this.#fail("too many table size updates");
      const size = this.#integer(0x1f);
      if (size < 0) return false;
      if (size > this.#limit) return this.#fail("table size update above the limit");
      this.#table.resize(size);
    }
    return true;
  }

  #representation(first: number, sink: FieldSink): boolean {
    if ((first & 0x80) !== 0) return this.#indexed(sink);
    if ((first & 0x40) !== 0) {
      if (!this.#literalName(0x3f)) return false;
      if (!this.#string()) return false;
      const tag = this.#nameTag | this.#strings.valueTag();
      this.#table.insert(this.#name, this.#strings.text, tag);
      sink.field(this.#name, this.#strings.text, tag);
      return true;
    }
    if ((first & 0x20) !== 0) return this.#fail("table size update after a field");
    if (!this.#literalName(0x0f) || !this.#string()) return false;
    const never = (first & 0x10) !== 0 ? NEVER_INDEXED : 0;
    sink.field(
      this.#name,
      this.#strings.text,
      this.#nameTag | this.#strings.valueTag() | never,
    );
    return true;
  }

  #indexed(sink: FieldSink): boolean {
    const index = this.#integer(0x7f);
    if (index > STATIC_COUNT) {
      const n = index - STATIC_COUNT - 1;
      if (n >= this.#table.count) return this.#fail("index beyond the table");
      // A bomb is 16,000 references to one large entry in a frame.
      if (sink.full === true) return true;
      sink.field(this.#table.name(n), this.#table.value(n), this.#table.tag(n));
      return true;
    }
    if (index <= 0) return index === 0 ? this.#fail("index 0") : false;
    sink.field(
      STATIC_NAMES[index] as string,
      STATIC_VALUES[index] as string,
      STATIC_TAGS[index] as number,
    );
    return true;
  }

  /** Leaves the name in `#name` and its tag in `#nameTag`. */
  #literalName(mask: number): boolean {
    const index = this.#integer(mask);
    if (index < 0) return false;
    if (index === 0) {
      if (!this.#string()) return false;
      this.#name = this.#strings.text;
      this.#nameTag = tagName(this.#name, this.#strings.octets);
    } else if (index <= STATIC_COUNT) {
      this.#name = STATIC_NAMES[index] as string;
      this.#nameTag = STATIC_TAGS[index] as number;
    } else {
      const n = index - STATIC_COUNT - 1;
      if (n >= this.#table.count) return this.#fail("index beyond the table");
      this.#name = this.#table.name(n);
      this.#nameTag = tagOfName(this.#table.tag(n));
    }
    return true;
  }

  #string(): boolean {
    if (this.#at >= this.#end) return this.#fail("block ends before a string");
    const huffman = ((this.#bytes[this.#at] as number) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    if (length < 0) return false;
    if (length > this.#end - this.#at) return this.#fail("string longer than its block");
    if (!this.#strings.read(this.#bytes, this.#at, length, huffman)) {
      return this.#fail("invalid Huffman code");
    }
    this.#at = this.#strings.next;
    return true;
  }

  /** An integer with a prefix (RFC 7541 §5.1), or -1 after `#fail`. */
  #integer(mask: number): number {
    let value = (this.#bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_INTEGER_OCTETS * 7; shift += 7) {
      if (this.#at >= this.#end) {
        this.#fail("block ends inside an integer");
        return -1;
      }
      const octet = this.#bytes[this.#at++] as number;
      value += (octet & 0x7f) * 2 ** shift;
      if ((octet & 0x80) === 0) return value;
    }
    this.#fail("integer too long");
    return -1;
  }

  #fail(reason: string): false {
    this.#failure = reason;
    return false;
  }
}

/** The tag of an entry without what its value added. */
function tagOfName(tag: number): number {
  return tag & ~(BAD_VALUE | NEVER_INDEXED);
}
