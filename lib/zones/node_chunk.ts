import { foldCase, type OctetString, type RecordSet } from "../dns/mod.ts";
import { GrowingOctets } from "./growing_octets.ts";

/**
 * Some names of a zone with their records, as octets that never change: threads can look into the same
 * ones, and a record costs as many octets as it has and some thirty more, where objects take a thousand.
 *
 * In network order: how many bits of their hashes choose this chunk (4 octets), how many names there
 * are (4), the hash of each (4 each), where each begins (4 each), and the names in the order of their
 * hashes, those with the same one in the order of their octets:
 *
 * - how many names are right below it (4), its length (1) and octets, how many sets it has (2)
 * - of each set the type (2), TTL (4), how many records (4) and how many octets they take (4)
 * - of each record the length (2) and octets
 */
export type NodeChunk = DataView;

/** A name of a zone, or one that only has names below it (RFC 4592 §2.2.2). */
export interface ZoneNode {
  /** As it was written. */
  readonly name: OctetString;
  /** How many names are right below it: one label longer. */
  readonly below: number;
  /** One for each type; names have few. */
  readonly sets: readonly RecordSet[];
}

/** Before the hashes. */
export const CHUNK_HEAD_OCTETS = 8;
const NAME_AT = 5;
const SET_HEAD_OCTETS = 14;
/** What a name takes beside its octets, and at most what a record takes beside its data. */
export const PACKED_NAME_OCTETS = 8 + NAME_AT + 2;
export const PACKED_RECORD_OCTETS = SET_HEAD_OCTETS + 2;

/** How many bits of the hashes of its names choose a chunk. */
export function depthOf(chunk: NodeChunk): number {
  return chunk.getUint32(0);
}

/** How many names a chunk has. */
export function countOf(chunk: NodeChunk): number {
  return chunk.getUint32(4);
}

/** The hash of one of its names. */
export function hashAt(chunk: NodeChunk, index: number): number {
  return chunk.getUint32(CHUNK_HEAD_OCTETS + 4 * index);
}

/** Where one of its names begins; that of one too many is where the last one ends. */
export function entryAt(chunk: NodeChunk, index: number): number {
  const count = countOf(chunk);
  if (index === count) return chunk.byteLength;
  return chunk.getUint32(CHUNK_HEAD_OCTETS + 4 * (count + index));
}

/** Where to look for a name. */
export interface NamePlace {
  readonly hash: number;
  /** Its case folded. */
  readonly key: OctetString;
}

/** The index of a name, or `-1 - index` of the one that it would go before. */
export function findEntry(chunk: NodeChunk, { hash, key }: NamePlace): number {
  let low = 0;
  let high = countOf(chunk);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = hashAt(chunk, middle) - hash || compareName(chunk, entryAt(chunk, middle), key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1 - low;
}

/** Whether a name is before another one (below 0), the same, or after it. */
function compareName(chunk: NodeChunk, at: number, key: OctetString): number {
  const length = chunk.getUint8(at + NAME_AT - 1);
  if (length !== key.length) return length - key.length;
  for (let i = 0; i < length; i++) {
    const octet = chunk.getUint8(at + NAME_AT + i);
    const folded = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    const order = folded - key.charCodeAt(i);
    if (order !== 0) return order;
  }
  return 0;
}

/** The key of the name that begins at `at`. */
export function keyAt(chunk: NodeChunk, at: number): OctetString {
  return foldCase(nameAt(chunk, at));
}

/** The name that begins at `at`; what it has is read whenever it is looked at. */
export function nodeAt(chunk: NodeChunk, at: number): ZoneNode {
  return new PackedNode(chunk, at);
}

function nameAt(chunk: NodeChunk, at: number): OctetString {
  return textAt(chunk, at + NAME_AT, chunk.getUint8(at + NAME_AT - 1));
}

/** The set of a type that a node has. */
export function setOf(node: ZoneNode, type: number): RecordSet | undefined {
  if (node instanceof PackedNode) return node.set(type);
  return node.sets.find((set) => set.type === type);
}

class PackedNode implements ZoneNode {
  readonly #chunk: NodeChunk;
  readonly #at: number;

  constructor(chunk: NodeChunk, at: number) {
    this.#chunk = chunk;
    this.#at = at;
  }

  get name(): OctetString {
    return nameAt(this.#chunk, this.#at);
  }

  get below(): number {
    return this.#chunk.getUint32(this.#at);
  }

  get sets(): readonly RecordSet[] {
    const sets: RecordSet[] = [];
    let at = this.#setsAt();
    for (let left = this.#setCount(); left > 0; left--) {
      sets.push(setAt(this.#chunk, at));
      at += SET_HEAD_OCTETS + this.#chunk.getUint32(at + 10);
    }
    return sets;
  }

  /** The set of a type; the others are not read. */
  set(type: number): RecordSet | undefined {
    let at = this.#setsAt();
    for (let left = this.#setCount(); left > 0; left--) {
      if (this.#chunk.getUint16(at) === type) return setAt(this.#chunk, at);
      at += SET_HEAD_OCTETS + this.#chunk.getUint32(at + 10);
    }
    return undefined;
  }

  #setCount(): number {
    return this.#chunk.getUint16(this.#setsAt() - 2);
  }

  #setsAt(): number {
    return this.#at + NAME_AT + this.#chunk.getUint8(this.#at + NAME_AT - 1) + 2;
  }
}

function setAt(chunk: NodeChunk, start: number): RecordSet {
  const data: OctetString[] = [];
  let at = start + SET_HEAD_OCTETS;
  for (let left = chunk.getUint32(start + 6); left > 0; left--) {
    const length = chunk.getUint16(at);
    data.push(textAt(chunk, at + 2, length));
    at += 2 + length;
  }
  return { type: chunk.getUint16(start), ttl: chunk.getUint32(start + 2), data };
}

/** Arguments of one call. */
const PIECE = 1024;

function textAt(chunk: NodeChunk, at: number, length: number): OctetString {
  if (length > PIECE) {
    return textAt(chunk, at, PIECE) + textAt(chunk, at + PIECE, length - PIECE);
  }
  const octets = new Array<number>(length);
  for (let i = 0; i < length; i++) octets[i] = chunk.getUint8(at + i);
  return String.fromCharCode.apply(null, octets);
}

/** Writes chunks, one after the other. */
export class ChunkWriter {
  readonly #octets: GrowingOctets;
  #hashes: number[] = [];
  #starts: number[] = [];

  /** One that has room for so many octets before it has to make more. */
  constructor(octets: number) {
    this.#octets = new GrowingOctets(octets);
  }

  /** Adds a name of another chunk as it is. */
  copy(chunk: NodeChunk, index: number): void {
    const start = entryAt(chunk, index);
    const length = entryAt(chunk, index + 1) - start;
    const at = this.#begin(hashAt(chunk, index), length);
    this.#octets.set(at, new Uint8Array(chunk.buffer, chunk.byteOffset + start, length));
  }

  /** Adds a name; they come in their order. */
  add(hash: number, { name, below, sets }: ZoneNode): void {
    const octets = this.#octets;
    let at = this.#begin(hash, NAME_AT + name.length + 2);
    octets.setU32(at, below);
    octets.setU8(at + NAME_AT - 1, name.length);
    octets.setText(at + NAME_AT, name);
    octets.setU16(at + NAME_AT + name.length, sets.length);
    for (const { type, ttl, data } of sets) {
      const size = data.reduce((sum, own) => sum + 2 + own.length, 0);
      at = octets.reserve(SET_HEAD_OCTETS + size);
      octets.setU16(at, type);
      octets.setU32(at + 2, ttl);
      octets.setU32(at + 6, data.length);
      octets.setU32(at + 10, size);
      at += SET_HEAD_OCTETS;
      for (const own of data) {
        octets.setU16(at, own.length);
        octets.setText(at + 2, own);
        at += 2 + own.length;
      }
    }
  }

  /** The chunk of the names that were added, in memory that `allocate` gives. */
  finish(depth: number, allocate: (octets: number) => DataView): NodeChunk {
    const count = this.#hashes.length;
    const start = CHUNK_HEAD_OCTETS + 8 * count;
    const { length } = this.#octets;
    const chunk = allocate(start + length);
    chunk.setUint32(0, depth);
    chunk.setUint32(4, count);
    for (let i = 0; i < count; i++) {
      chunk.setUint32(CHUNK_HEAD_OCTETS + 4 * i, this.#hashes[i] as number);
      chunk.setUint32(CHUNK_HEAD_OCTETS + 4 * (count + i), start + (this.#starts[i] as number));
    }
    const entries = new Uint8Array(chunk.buffer, chunk.byteOffset + start, length);
    entries.set(this.#octets.subarray(0, length));
    this.#octets.clear();
    this.#hashes = [];
    this.#starts = [];
    return chunk;
  }

  /** Room for a name; where it begins. */
  #begin(hash: number, octets: number): number {
    const start = this.#octets.reserve(octets);
    this.#hashes.push(hash);
    this.#starts.push(start);
    return start;
  }
}
