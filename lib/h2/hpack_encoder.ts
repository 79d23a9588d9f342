import { DEFAULT_TABLE_SIZE } from "./hpack_decoder.ts";
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from "./hpack_static.ts";
import { ENTRY_OVERHEAD } from "./hpack_table.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";
import { writeLatin1 } from "../http/mod.ts";

/** What one field may need beyond its characters: two length prefixes and a first octet. */
export const FIELD_OVERHEAD = 16;
/** Room for two table size updates at the start of a block. */
export const BLOCK_OVERHEAD = 16;
/** Older entries of one name that are compared before giving up; bounds the work per field. */
const MAX_CANDIDATES = 6;

/** How a name is written when no entry matches the whole field. */
const Policy = Object.freeze({ index: 0, plain: 1, never: 2 });

/**
 * Values that differ in nearly every message: an entry would only push out a useful one. `referer`
 * is private besides.
 */
const PLAIN =
  ":path content-length content-range range date etag last-modified if-none-match if-modified-since " +
  "location age expires x-request-id grpc-timeout traceparent tracestate referer";
/**
 * Secrets. An indexed secret can be guessed by watching the size of later blocks, above all on a
 * backend connection that many clients share (RFC 7541 §7.1).
 */
const NEVER = "authorization proxy-authorization cookie set-cookie";

interface StaticName {
  readonly index: number;
  readonly policy: number;
  /** Index by value. */
  readonly values: ReadonlyMap<string, number> | undefined;
}

const STATIC: ReadonlyMap<string, StaticName> = indexStatic();

function indexStatic(): Map<string, StaticName> {
  const names = new Map<string, StaticName>();
  for (let index = 1; index <= STATIC_COUNT; index++) {
    const name = STATIC_NAMES[index] as string;
    const value = STATIC_VALUES[index] as string;
    const known = names.get(name);
    const values = new Map(known?.values ?? []);
    if (value !== "") values.set(value, index);
    names.set(name, {
      index: known?.index ?? index,
      policy: policyOf(name),
      values: values.size > 0 ? values : undefined,
    });
  }
  for (const name of `${PLAIN} ${NEVER}`.split(" ")) {
    if (!names.has(name)) names.set(name, { index: 0, policy: policyOf(name), values: undefined });
  }
  return names;
}

function policyOf(name: string): number {
  if (NEVER.split(" ").includes(name)) return Policy.never;
  return PLAIN.split(" ").includes(name) ? Policy.plain : Policy.index;
}

/** An entry of the dynamic table; entries of one name form a chain from new to old. */
interface Entry {
  readonly name: string;
  readonly value: string;
  /** Running number of the entry since the connection began. */
  readonly serial: number;
  /** Cleared when this entry is evicted, so that a chain never holds more than the table. */
  older: Entry | undefined;
}

/**
 * Encodes header blocks of one direction of one connection (RFC 7541). Fields must leave in the
 * order they were encoded; the caller checks names and values first and provides the room.
 *
 * @example
 * ```ts
 * import { HpackEncoder } from "./hpack_encoder.ts";
 * import assert from "node:assert/strict";
 *
 * const encoder = new HpackEncoder();
 * const target = new Uint8Array(100);
 * const first = encoder.field(":authority", "example.net", target, encoder.begin(target, 0));
 * const second = encoder.field(":authority", "example.net", target, encoder.begin(target, 0));
 * assert.deepEqual([first, second], [10, 1]); // the second time it is one index
 * ```
 */
export class HpackEncoder {
  /** Oldest first; `#first` is the ring position of the oldest. */
  readonly #entries: Entry[] = [];
  readonly #newestOf = new Map<string, Entry>();
  #evicted = 0;
  #inserted = 0;
  #size = 0;
  #maxSize = DEFAULT_TABLE_SIZE;
  /** Lowest size since the last block; -1: no update is due. */
  #lowest = -1;

  /** Octets in the dynamic table, by HPACK's count. */
  get tableSize(): number {
    return this.#size;
  }

  /**
   * Applies the peer's SETTINGS_HEADER_TABLE_SIZE. More than the default is not used: it would cost
   * memory for each connection at the peer's wish.
   */
  setTableLimit(octets: number): void {
    const size = Math.min(octets, DEFAULT_TABLE_SIZE);
    if (size === this.#maxSize) return;
    this.#lowest = this.#lowest < 0 ? size : Math.min(this.#lowest, size);
    this.#maxSize = size;
    this.#evictTo(size);
  }

  /** Begins a block at `at`: writes the size updates that are due. Answers the index after them. */
  begin(target: Uint8Array, at: number): number {
    if (this.#lowest < 0) return at;
    if (this.#lowest < this.#maxSize) at = writeInteger(target, at, 0x20, 0x1f, this.#lowest);
    this.#lowest = -1;
    return writeInteger(target, at, 0x20, 0x1f, this.#maxSize);
  }

  /**
   * Writes one field at `at` and answers the index after it. The target must have room for both
   * lengths and `FIELD_OVERHEAD`. `never`: the field must not be indexed by anyone on the way.
   */
  field(name: string, value: string, target: Uint8Array, at: number, never = false): number {
    const known = STATIC.get(name);
    const index = known?.values?.get(value);
    if (index !== undefined) return writeInteger(target, at, 0x80, 0x7f, index);
    if (never || known?.policy === Policy.never) {
      return this.#literal(0x10, 0x0f, known?.index ?? 0, name, value, target, at);
    }
    if (known?.policy === Policy.plain) {
      return this.#literal(0, 0x0f, known.index, name, value, target, at);
    }
    return this.#indexable(known?.index ?? 0, name, value, target, at);
  }

  #indexable(known: number, name: string, value: string, target: Uint8Array, at: number): number {
    const newest = this.#newestOf.get(name);
    let entry = newest;
    for (let n = 0; n < MAX_CANDIDATES && entry !== undefined; n++) {
      if (entry.serial < this.#evicted) break;
      if (entry.value === value) {
        return writeInteger(target, at, 0x80, 0x7f, this.#indexOf(entry));
      }
      entry = entry.older;
    }
    const nameIndex = known > 0 || newest === undefined ? known : this.#indexOf(newest);
    const size = name.length + value.length + ENTRY_OVERHEAD;
    // An entry that would push out most others is not worth it.
    if (size > this.#maxSize >>> 1) {
      return this.#literal(0, 0x0f, nameIndex, name, value, target, at);
    }
    this.#insert(name, value, size, newest);
    return this.#literal(0x40, 0x3f, nameIndex, name, value, target, at);
  }

  #literal(
    pattern: number,
    mask: number,
    nameIndex: number,
    name: string,
    value: string,
    target: Uint8Array,
    at: number,
  ): number {
    at = writeInteger(target, at, pattern, mask, nameIndex);
    if (nameIndex === 0) at = writeString(name, target, at);
    return writeString(value, target, at);
  }

  #indexOf(entry: Entry): number {
    return STATIC_COUNT + this.#inserted - entry.serial;
  }

  #insert(name: string, value: string, size: number, older: Entry | undefined): void {
    this.#evictTo(this.#maxSize - size);
    const alive = older !== undefined && older.serial >= this.#evicted ? older : undefined;
    const entry: Entry = { name, value, serial: this.#inserted++, older: alive };
    this.#entries[entry.serial & RING_MASK] = entry;
    this.#newestOf.set(name, entry);
    this.#size += size;
  }

  #evictTo(size: number): void {
    while (this.#size > size) {
      const entry = this.#entries[this.#evicted & RING_MASK] as Entry;
      this.#evicted++;
      entry.older = undefined;
      this.#size -= entry.name.length + entry.value.length + ENTRY_OVERHEAD;
      if (this.#newestOf.get(entry.name) === entry) this.#newestOf.delete(entry.name);
    }
  }
}

/** A table of the default size holds at most 4096 / 32 = 128 entries. */
const RING_MASK = DEFAULT_TABLE_SIZE / ENTRY_OVERHEAD - 1;

function writeInteger(
  target: Uint8Array,
  at: number,
  pattern: number,
  mask: number,
  value: number,
): number {
  if (value < mask) {
    target[at++] = pattern | value;
    return at;
  }
  target[at++] = pattern | mask;
  value -= mask;
  while (value >= 0x80) {
    target[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  target[at++] = value;
  return at;
}

function writeString(text: string, target: Uint8Array, at: number): number {
  const shorter = huffmanLength(text);
  if (shorter < text.length) {
    return huffmanEncode(text, target, writeInteger(target, at, 0x80, 0x7f, shorter));
  }
  return writeLatin1(text, target, writeInteger(target, at, 0, 0x7f, text.length));
}
