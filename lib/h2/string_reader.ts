import { isSpace, latin1, OCTETS, VALUE_OCTET } from "../http/mod.ts";
import { BAD_VALUE } from "./field_names.ts";
import { huffmanDecode, maxDecodedLength } from "./huffman.ts";

/** Slots of the cache of recent strings; a power of two. */
const SLOTS = 32;
/** Encoded strings up to this many octets are cached; longer ones rarely repeat. */
const SLOT_OCTETS = 48;
/** Decoded octets that fit the scratch array shared by all readers; longer strings allocate. */
const SCRATCH_OCTETS = 4096;
/** Only used between two statements of one synchronous call. */
const SCRATCH = new Uint8Array(SCRATCH_OCTETS);

/**
 * Reads HPACK string literals (RFC 7541 §5.2). A small direct-mapped cache keyed by the encoded
 * octets spares Huffman, checks and the string for literals that repeat without being indexed
 * (paths, dates, lengths). One per connection: a shared one would tell one peer by timing what
 * another sent.
 */
export class StringReader {
  /** The last string read. */
  text = "";
  /** AND of `OCTETS` over the last string: where all of its octets may stand. */
  octets = 0;
  /** Index after the last string. */
  next = 0;
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #texts: string[] = [];
  readonly #octets = new Uint8Array(SLOTS);
  #keys: Uint8Array | undefined;

  /**
   * Reads `length` encoded octets at `at`; the caller made sure they are there. Answers `false` if
   * the Huffman encoding is invalid.
   */
  read(bytes: Uint8Array, at: number, length: number, huffman: boolean): boolean {
    this.next = at + length;
    if (length === 0 || length > SLOT_OCTETS) return this.#decode(bytes, at, length, huffman);
    let hash = huffman ? length : length + 128;
    for (let i = at; i < this.next; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const key = huffman ? length : length + 128;
    if (this.#hit(bytes, at, slot, key, length)) return true;
    if (!this.#decode(bytes, at, length, huffman)) return false;
    this.#keys ??= new Uint8Array(SLOTS * SLOT_OCTETS);
    for (let i = 0; i < length; i++) this.#keys[slot * SLOT_OCTETS + i] = bytes[at + i] as number;
    this.#lengths[slot] = key;
    this.#texts[slot] = this.text;
    this.#octets[slot] = this.octets;
    return true;
  }

  /** `BAD_VALUE` or 0 for the last string as a field value (RFC 9113 §8.2.1). */
  valueTag(): number {
    const { text } = this;
    if (text.length === 0) return 0;
    return (this.octets & VALUE_OCTET) === 0 || isSpace(text.charCodeAt(0)) ||
        isSpace(text.charCodeAt(text.length - 1))
      ? BAD_VALUE
      : 0;
  }

  #hit(bytes: Uint8Array, at: number, slot: number, key: number, length: number): boolean {
    if (this.#lengths[slot] !== key || this.#keys === undefined) return false;
    const keys = this.#keys;
    const start = slot * SLOT_OCTETS;
    for (let i = 0; i < length; i++) if (keys[start + i] !== bytes[at + i]) return false;
    this.text = this.#texts[slot] as string;
    this.octets = this.#octets[slot] as number;
    return true;
  }

  #decode(bytes: Uint8Array, at: number, length: number, huffman: boolean): boolean {
    if (!huffman) {
      this.#take(bytes, at, at + length);
      return true;
    }
    const room = maxDecodedLength(length);
    const target = room <= SCRATCH_OCTETS ? SCRATCH : new Uint8Array(room);
    const decoded = huffmanDecode(bytes, at, at + length, target);
    if (decoded < 0) return false;
    this.#take(target, 0, decoded);
    return true;
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    let all = 255;
    for (let i = start; i < end; i++) all &= OCTETS[bytes[i] as number] as number;
    this.octets = all;
    this.text = latin1(bytes, start, end);
  }
}
