import type { OctetString } from "../dns/mod.ts";
import { hashOf } from "./name_hash.ts";
import {
  ChunkWriter,
  countOf,
  depthOf,
  entryAt,
  findEntry,
  hashAt,
  keyAt,
  nodeAt,
  type NodeChunk,
  type ZoneNode,
} from "./node_chunk.ts";

/** Names that a chunk has before it is split: what one change copies. */
const MAX_IN_CHUNK = 128;
/** Bits of hashes that chunks may be found by, whatever comes from another thread. */
const MAX_DEPTH = 24;
/**
 * Bits more than so many names need if hashes are what they should be. Names that were made to have the
 * same one stay in one chunk, or a few of them would make a table of millions of places.
 */
const SPARE_BITS = 2;

/**
 * The names of a zone by their keys. It never changes: one with other names shares with it all but the
 * chunks that they are in, and the table of chunks (extendible hashing, Fagin and others 1979).
 */
export class NodeMap implements ReadonlyMap<OctetString, ZoneNode> {
  /** The upper bits of a hash are an index; a chunk is there once for each value of its other bits. */
  readonly #chunks: readonly NodeChunk[];
  /** How many bits. */
  readonly #depth: number;
  readonly size: number;

  private constructor(chunks: readonly NodeChunk[], size: number) {
    this.#chunks = chunks;
    this.#depth = Math.log2(chunks.length);
    this.size = size;
  }

  /**
   * The map of the chunks of another one, as {@link chunks} gives them, perhaps in another thread.
   *
   * @throws {TypeError} if they are not all chunks of one.
   */
  static of(chunks: readonly NodeChunk[]): NodeMap {
    const depth = chunks.reduce((most, chunk) => Math.max(most, depthOf(chunk)), 0);
    if (depth > MAX_DEPTH) throw new TypeError(`a chunk is ${depth} bits deep`);
    const table: NodeChunk[] = [];
    let size = 0;
    for (const chunk of chunks) {
      size += countOf(chunk);
      for (let left = 2 ** (depth - depthOf(chunk)); left > 0; left--) table.push(chunk);
    }
    if (table.length !== 2 ** depth) throw new TypeError("chunks are missing");
    return new NodeMap(table, size);
  }

  /** Each chunk once. */
  *chunks(): Generator<NodeChunk, undefined> {
    for (let i = 0; i < this.#chunks.length;) {
      const chunk = this.#chunks[i] as NodeChunk;
      yield chunk;
      i += 2 ** (this.#depth - depthOf(chunk));
    }
  }

  get(key: OctetString): ZoneNode | undefined {
    const hash = hashOf(key);
    const chunk = this.#chunks[indexOf(hash, this.#depth)] as NodeChunk;
    const index = findEntry(chunk, { hash, key });
    return index < 0 ? undefined : nodeAt(chunk, entryAt(chunk, index));
  }

  has(key: OctetString): boolean {
    const hash = hashOf(key);
    return findEntry(this.#chunks[indexOf(hash, this.#depth)] as NodeChunk, { hash, key }) >= 0;
  }

  /** A map with other nodes in the place of those with their keys; undefined: there is none. */
  with(changes: Iterable<readonly [OctetString, ZoneNode | undefined]>): NodeMap {
    const sorted = Array.from(changes, ([key, node]) => ({ key, node, hash: hashOf(key) }))
      .sort((a, b) => a.hash - b.hash || a.key.length - b.key.length || (a.key < b.key ? -1 : 1));
    let { size } = this;
    let table = this.#chunks.slice();
    for (let i = 0; i < sorted.length;) {
      const { hash } = sorted[i] as Change;
      const chunk = table[indexOf(hash, Math.log2(table.length))] as NodeChunk;
      const end = endOfChunk(sorted, i, depthOf(chunk));
      const next = rebuilt(chunk, sorted.slice(i, end));
      size += countOf(next) - countOf(chunk);
      const parts = split(next, Math.min(MAX_DEPTH, depthFor(size) + SPARE_BITS));
      table = replaced(table, indexOf(hash, depthOf(chunk)), parts);
      i = end;
    }
    return new NodeMap(table, size);
  }

  forEach(told: (node: ZoneNode, key: OctetString, map: this) => void): void {
    for (const [key, node] of this) told(node, key, this);
  }

  *entries(): MapIterator<[OctetString, ZoneNode]> {
    for (const chunk of this.chunks()) {
      for (let i = 0; i < countOf(chunk); i++) {
        const at = entryAt(chunk, i);
        yield [keyAt(chunk, at), nodeAt(chunk, at)];
      }
    }
  }

  *keys(): MapIterator<OctetString> {
    for (const chunk of this.chunks()) {
      for (let i = 0; i < countOf(chunk); i++) yield keyAt(chunk, entryAt(chunk, i));
    }
  }

  *values(): MapIterator<ZoneNode> {
    for (const chunk of this.chunks()) {
      for (let i = 0; i < countOf(chunk); i++) yield nodeAt(chunk, entryAt(chunk, i));
    }
  }

  [Symbol.iterator](): MapIterator<[OctetString, ZoneNode]> {
    return this.entries();
  }
}

interface Change {
  readonly hash: number;
  readonly key: OctetString;
  readonly node: ZoneNode | undefined;
}

/** The upper bits of a hash; a shift by 32 would be none. */
export function indexOf(hash: number, bits: number): number {
  return bits === 0 ? 0 : hash >>> 32 - bits;
}

/** How many chunks hold so many names, by whose table they are found: a power of two, as bits. */
export function depthFor(names: number): number {
  return Math.min(MAX_DEPTH, Math.max(0, Math.ceil(Math.log2(2 * names / MAX_IN_CHUNK))));
}

/** Where the changes that are in the chunk of the one at `start` end. */
function endOfChunk(changes: readonly Change[], start: number, depth: number): number {
  const first = indexOf((changes[start] as Change).hash, depth);
  let end = start + 1;
  while (end < changes.length && indexOf((changes[end] as Change).hash, depth) === first) end++;
  return end;
}

/** A chunk with changes of its names made. */
function rebuilt(chunk: NodeChunk, changes: readonly Change[]): NodeChunk {
  const writer = new ChunkWriter(chunk.byteLength);
  let old = 0;
  for (const { hash, key, node } of changes) {
    const found = findEntry(chunk, { hash, key });
    const index = found < 0 ? -1 - found : found;
    for (; old < index; old++) writer.copy(chunk, old);
    if (node !== undefined) writer.add(hash, node);
    if (found >= 0) old++;
  }
  for (; old < countOf(chunk); old++) writer.copy(chunk, old);
  return writer.finish(depthOf(chunk), ownMemory);
}

/** A chunk in halves by the next bit of the hashes, until none has too many names. */
function split(chunk: NodeChunk, maxDepth: number): NodeChunk[] {
  const count = countOf(chunk);
  const depth = depthOf(chunk) + 1;
  if (count <= MAX_IN_CHUNK || depth > maxDepth) return [chunk];
  let middle = 0;
  while (middle < count && (indexOf(hashAt(chunk, middle), depth) & 1) === 0) middle++;
  const writer = new ChunkWriter(chunk.byteLength);
  for (let i = 0; i < middle; i++) writer.copy(chunk, i);
  const lower = writer.finish(depth, ownMemory);
  for (let i = middle; i < count; i++) writer.copy(chunk, i);
  const upper = writer.finish(depth, ownMemory);
  return [...split(lower, maxDepth), ...split(upper, maxDepth)];
}

/**
 * A table with chunks in the place of one, grown if it has to tell them apart.
 *
 * @param prefix the bits by which the one was found.
 */
function replaced(table: NodeChunk[], prefix: number, next: readonly NodeChunk[]): NodeChunk[] {
  const old = Math.log2(table.length);
  const depth = next.reduce((most, own) => Math.max(most, depthOf(own)), old);
  const times = 2 ** (depth - old);
  const grown = times === 1 ? table : table.flatMap((own) => new Array<NodeChunk>(times).fill(own));
  const places = next.reduce((sum, own) => sum + 2 ** (depth - depthOf(own)), 0);
  let at = prefix * places;
  for (const own of next) {
    const end = at + 2 ** (depth - depthOf(own));
    grown.fill(own, at, end);
    at = end;
  }
  return grown;
}

function ownMemory(octets: number): DataView {
  return new DataView(new ArrayBuffer(octets));
}
