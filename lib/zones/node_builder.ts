import {
  foldCase,
  octetsOf,
  type OctetString,
  octetString,
  type RecordSet,
  type ZoneRecord,
} from "../dns/mod.ts";
import { GrowingOctets } from "./growing_octets.ts";
import { hashOf } from "./name_hash.ts";
import {
  CHUNK_HEAD_OCTETS,
  ChunkWriter,
  type NodeChunk,
  PACKED_NAME_OCTETS,
  PACKED_RECORD_OCTETS,
  type ZoneNode,
} from "./node_chunk.ts";
import { depthFor, indexOf, NodeMap } from "./node_map.ts";
import type { LookUp } from "./zone.ts";

/** Chunks share memory in pieces of this: one that is used alone keeps no more than that alive. */
const SLAB_OCTETS = 1 << 20;
/** What a chunk has room for at first while it is written. */
const CHUNK_OCTETS = 16_384;

/** A row of the table of names; places in the octets and counts, each of 4 octets. */
const NAME = { hash: 0, name: 4, below: 8, first: 12, last: 16, octets: 20 } as const;
/** A record: the place of the next one of its name, then as it is in messages. */
const RECORD = { next: 0, type: 4, ttl: 6, length: 10, data: 12 } as const;
/** No place and no number of a name. */
const NONE = 0;

/**
 * Gathers the records of a zone by their names, as octets: objects for a million records would be a
 * gigabyte that is garbage a moment later.
 */
export class NodeBuilder {
  /** Names, and records that each point to the next one of their name. */
  readonly #octets = new GrowingOctets(4096);
  readonly #names = new GrowingOctets(4096);
  /** Open addressing: numbers of names. */
  #slots = new Uint32Array(64);
  #count = 0;
  /** Octets that chunks of all of it have at most, but for their heads. */
  #packed = 0;

  constructor() {
    this.#octets.reserve(1); // So that nothing is at `NONE`.
    this.#names.reserve(NAME.octets);
  }

  /** How many names there are: their numbers are 1 to this one. */
  get count(): number {
    return this.#count;
  }

  /** The number of a name; it and those above it, up to the apex, are made if they are missing. */
  add({ name, key, starts }: LookUp, apexKey: OctetString): number {
    const known = this.#find(key);
    if (known !== NONE) return known;
    const own = this.#append(key, name);
    for (const start of starts.slice(1)) {
      if (key.length - start < apexKey.length) break;
      const above = key.slice(start);
      const found = this.#find(above);
      const upper = found === NONE ? this.#append(above, name.slice(start)) : found;
      this.#setName(upper, NAME.below, this.#name(upper, NAME.below) + 1);
      if (found !== NONE) break;
    }
    return own;
  }

  /** Adds a record of a name. */
  addRecord(id: number, { type, ttl, data }: Pick<ZoneRecord, "type" | "ttl" | "data">): void {
    const octets = this.#octets;
    const at = octets.reserve(RECORD.data + data.length);
    this.#packed += PACKED_RECORD_OCTETS + data.length;
    octets.setU16(at + RECORD.type, type);
    octets.setU32(at + RECORD.ttl, ttl);
    octets.setU16(at + RECORD.length, data.length);
    octets.set(at + RECORD.data, data);
    const last = this.#name(id, NAME.last);
    if (last === NONE) this.#setName(id, NAME.first, at);
    else octets.setU32(last + RECORD.next, at);
    this.#setName(id, NAME.last, at);
  }

  /** A name, its case folded. */
  keyOf(id: number): OctetString {
    return foldCase(this.#nameOf(id));
  }

  /** All names, a step for each of them. */
  *build(): Generator<undefined, NodeMap> {
    const depth = depthFor(this.#count);
    const chunks: NodeChunk[] = [];
    const slabs = new Slabs(this.#packed + CHUNK_HEAD_OCTETS * 2 ** depth);
    const writer = new ChunkWriter(CHUNK_OCTETS);
    const { ids, ends } = this.#byChunk(depth);
    let next = 0;
    for (const end of ends) {
      for (const id of this.#inOrder(ids.subarray(next, end))) {
        writer.add(this.#name(id, NAME.hash), this.#nodeOf(id));
        yield;
      }
      next = end;
      chunks.push(writer.finish(depth, (octets) => slabs.allocate(octets)));
    }
    return NodeMap.of(chunks);
  }

  /** The numbers of all names, those of each chunk together, and where those of each end. */
  #byChunk(depth: number): { readonly ids: Uint32Array; readonly ends: Uint32Array } {
    const ends = new Uint32Array(2 ** depth);
    const chunkOf = (id: number) => indexOf(this.#name(id, NAME.hash), depth);
    for (let id = 1; id <= this.#count; id++) ends[chunkOf(id)] = (ends[chunkOf(id)] as number) + 1;
    for (let i = 1; i < ends.length; i++) {
      ends[i] = (ends[i] as number) + (ends[i - 1] as number);
    }
    const places = ends.slice();
    const ids = new Uint32Array(this.#count);
    for (let id = this.#count; id > 0; id--) {
      const place = (places[chunkOf(id)] as number) - 1;
      places[chunkOf(id)] = place;
      ids[place] = id;
    }
    return { ids, ends };
  }

  /** As chunks have them: see {@link NodeChunk}. */
  #inOrder(ids: Uint32Array): Uint32Array {
    return ids.sort((a, b) => {
      const order = this.#name(a, NAME.hash) - this.#name(b, NAME.hash);
      if (order !== 0) return order;
      const [one, other] = [this.keyOf(a), this.keyOf(b)];
      return one.length - other.length || (one < other ? -1 : 1);
    });
  }

  #nodeOf(id: number): ZoneNode {
    const sets: { type: number; ttl: number; data: Set<OctetString> }[] = [];
    const octets = this.#octets;
    for (let at = this.#name(id, NAME.first); at !== NONE; at = octets.u32(at + RECORD.next)) {
      const type = octets.u16(at + RECORD.type);
      const ttl = octets.u32(at + RECORD.ttl);
      const start = at + RECORD.data;
      const data = octetString(octets.subarray(start, start + octets.u16(at + RECORD.length)));
      const set = sets.find((other) => other.type === type);
      set?.data.add(data);
      if (set === undefined) sets.push({ type, ttl, data: new Set([data]) });
      else set.ttl = Math.min(set.ttl, ttl);
    }
    return {
      name: this.#nameOf(id),
      below: this.#name(id, NAME.below),
      sets: sets.map((set): RecordSet => ({ ...set, data: [...set.data] })),
    };
  }

  /** The number of a name that was not there. */
  #append(key: OctetString, name: OctetString): number {
    const id = ++this.#count;
    const at = this.#octets.reserve(1 + name.length);
    this.#octets.setU8(at, name.length);
    this.#octets.set(at + 1, octetsOf(name));
    this.#packed += PACKED_NAME_OCTETS + name.length;
    this.#names.reserve(NAME.octets);
    const hash = hashOf(key);
    this.#setName(id, NAME.hash, hash);
    this.#setName(id, NAME.name, at);
    if (2 * id > this.#slots.length) this.#growSlots();
    else this.#slots[this.#slotOf(hash, key)] = id;
    return id;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(4 * this.#slots.length);
    for (let id = 1; id <= this.#count; id++) {
      this.#slots[this.#slotOf(this.#name(id, NAME.hash), undefined)] = id;
    }
  }

  #find(key: OctetString): number {
    return this.#slots[this.#slotOf(hashOf(key), key)] as number;
  }

  /** The slot of a name, or the one where it would be; without a key, of one that is not there yet. */
  #slotOf(hash: number, key: OctetString | undefined): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask;; slot = slot + 1 & mask) {
      const id = this.#slots[slot] as number;
      if (id === NONE) return slot;
      if (key === undefined || this.#name(id, NAME.hash) !== hash) continue;
      if (this.keyOf(id) === key) return slot;
    }
  }

  #nameOf(id: number): OctetString {
    const at = this.#name(id, NAME.name);
    return octetString(this.#octets.subarray(at + 1, at + 1 + this.#octets.u8(at)));
  }

  #name(id: number, field: number): number {
    return this.#names.u32(NAME.octets * id + field);
  }

  #setName(id: number, field: number, value: number): void {
    this.#names.setU32(NAME.octets * id + field, value);
  }
}

/** Memory for chunks that all threads may look into. */
class Slabs {
  #slab = new SharedArrayBuffer(0);
  #used = 0;
  /** Of all that is still asked for, at most: a small zone does not take a whole slab. */
  #left: number;

  constructor(octets: number) {
    this.#left = octets;
  }

  allocate(octets: number): DataView {
    if (this.#used + octets > this.#slab.byteLength) {
      const wanted = Math.min(SLAB_OCTETS, this.#left);
      this.#slab = new SharedArrayBuffer(Math.max(wanted, octets));
      this.#used = 0;
    }
    this.#left -= octets;
    const start = this.#used;
    this.#used += octets;
    return new DataView(this.#slab, start, octets);
  }
}
