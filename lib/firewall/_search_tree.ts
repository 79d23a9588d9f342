import { type IpAddress, ipv4 } from "../addr/mod.ts";

/** What the metadata of a MaxMind DB say about its search tree. */
export interface TreeShape {
  readonly nodeCount: number;
  readonly recordSize: number;
  readonly ipVersion: number;
}

/** A leaf of the tree: the first address of a network, and its record's value. */
export interface Leaf {
  readonly ip: IpAddress;
  readonly value: number;
}

/** Zero octets between the tree and the data. */
export const DATA_SEPARATOR_BYTES = 16;
/** Types of data fields: a record about a network is a map, or a pointer to one. */
const TYPE_POINTER = 1;
const TYPE_MAP = 7;
/** IPv4 addresses lie below `::/96`. */
const IPV4_DEPTH = 96;

/**
 * The binary search tree of a MaxMind DB
 * (https://maxmind.github.io/MaxMind-DB/#binary-search-tree-section): each node has a record for
 * the bit 0 and one for 1, whose value is a node, "nothing" (the number of nodes) or a data offset.
 */
export class SearchTree {
  readonly #bytes: Uint8Array;
  readonly #shape: TreeShape;
  readonly #recordSize: number;
  readonly #ipv4Root: number;

  constructor(bytes: Uint8Array, shape: TreeShape) {
    this.#bytes = bytes;
    this.#shape = shape;
    this.#recordSize = shape.recordSize;
    let root = 0;
    if (shape.ipVersion === 6) {
      for (let i = 0; i < IPV4_DEPTH && root < shape.nodeCount; i++) root = this.#record(root, 0);
    }
    this.#ipv4Root = root;
  }

  /** The value of an address's network, above the number of nodes, or 0 if there is none. */
  find(ip: IpAddress): number {
    const { nodeCount, ipVersion } = this.#shape;
    let value: number;
    if (ip.family === 4) {
      value = this.#walk(this.#ipv4Root, ip.w3);
    } else {
      // The first 32 bits of an IPv6 address would be read as an IPv4 address.
      if (ipVersion === 4) return 0;
      value = this.#walk(this.#walk(this.#walk(this.#walk(0, ip.w0), ip.w1), ip.w2), ip.w3);
    }
    return value > nodeCount ? value : 0;
  }

  /**
   * The first record that points neither into the tree nor at a map in the data, or `undefined`.
   * Cheap, and yet a tree that belongs to other data hardly passes: its pointers are all shifted.
   */
  findBrokenRecord(data: Uint8Array): number | undefined {
    const { nodeCount } = this.#shape;
    const firstData = nodeCount + DATA_SEPARATOR_BYTES;
    for (let node = 0; node < nodeCount; node++) {
      for (let bit = 0; bit < 2; bit++) {
        const value = this.#record(node, bit);
        if (value <= nodeCount) continue;
        const type = value < firstData ? undefined : typeOf(data[value - firstData]);
        if (type !== TYPE_MAP && type !== TYPE_POINTER) return node * 2 + bit;
      }
    }
    return undefined;
  }

  /** The leaves in the order of addresses, after a visit of at most `maxNodes` nodes. */
  *leaves(maxNodes: number): Generator<Leaf> {
    const { nodeCount, ipVersion } = this.#shape;
    const bits = ipVersion === 4 ? 32 : 128;
    const stack = [{ value: 0, depth: 0, words: [0, 0, 0, 0] }];
    for (let visited = 0; visited < maxNodes;) {
      const top = stack.pop();
      if (top === undefined) return;
      const { value, depth, words } = top;
      if (value > nodeCount) {
        const [w0, w1, w2, w3] = words as [number, number, number, number];
        yield { ip: ipVersion === 4 ? ipv4(w0) : { family: 6, w0, w1, w2, w3 }, value };
      }
      if (value >= nodeCount || depth === bits) continue;
      visited++;
      const one = words.with(
        depth >>> 5,
        ((words[depth >>> 5] as number) | 1 << (31 - (depth & 31))) >>> 0,
      );
      stack.push({ value: this.#record(value, 1), depth: depth + 1, words: one });
      stack.push({ value: this.#record(value, 0), depth: depth + 1, words });
    }
  }

  #walk(node: number, word: number): number {
    const { nodeCount } = this.#shape;
    for (let shift = 31; shift >= 0 && node < nodeCount; shift--) {
      node = this.#record(node, word >>> shift & 1);
    }
    return node;
  }

  /** The value of a record; a node below the number of nodes lies wholly in the file. */
  #record(node: number, bit: number): number {
    const bytes = this.#bytes;
    const size = this.#recordSize;
    if (size === 24) return read24(bytes, node * 6 + bit * 3);
    if (size === 32) {
      const at = node * 8 + bit * 4;
      return (bytes[at] as number) * 2 ** 24 + read24(bytes, at + 1);
    }
    // 28 bits: the octet in the middle holds the highest four of both.
    const at = node * 7;
    const middle = bytes[at + 3] as number;
    return bit === 0
      ? (middle & 0xf0) << 20 | read24(bytes, at)
      : (middle & 0x0f) << 24 | read24(bytes, at + 4);
  }
}

function read24(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) << 16 | (bytes[at + 1] as number) << 8 | bytes[at + 2] as number;
}

function typeOf(control: number | undefined): number | undefined {
  return control === undefined ? undefined : control >>> 5;
}
