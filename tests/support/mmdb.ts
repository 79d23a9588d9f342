/**
 * Builds MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), so that tests need no database of
 * others.
 *
 * @module
 */
import { ipToBytes, parseCidr } from "../../lib/addr/mod.ts";

/** What a record may hold. */
export type MmdbValue =
  | string
  | number
  | bigint
  | boolean
  | readonly MmdbValue[]
  | { readonly [key: string]: MmdbValue };

export interface MmdbOptions {
  /** Records by block, such as `10.0.0.0/8`; a longer block may not come before a shorter one. */
  readonly networks: Readonly<Record<string, MmdbValue>>;
  /** Default: `Test-Country`. */
  readonly databaseType?: string;
  /** Default: 28. */
  readonly recordSize?: 24 | 28 | 32;
  /** Default: 6, which also holds IPv4. */
  readonly ipVersion?: 4 | 6;
  /** Seconds since 1970. Default: 1,700,000,000. */
  readonly buildEpoch?: number;
}

/** A node: for each bit another node, an index of the records, or nothing. */
type Node = [Branch, Branch];
type Branch = { node: Node } | { record: number } | undefined;

/** The octets of a database. */
export function buildMmdb(options: MmdbOptions): Uint8Array {
  const { networks, recordSize = 28, ipVersion = 6 } = options;
  const root: Node = [undefined, undefined];
  const records = Object.values(networks).map(encodeValue);
  Object.keys(networks).forEach((block, record) =>
    insert(root, blockBits(block, ipVersion), record)
  );
  const nodes = numberNodes(root);
  const offsets: number[] = [];
  let dataBytes = 0;
  for (const record of records) {
    offsets.push(dataBytes);
    dataBytes += record.length;
  }
  const value = (branch: Branch): number => {
    if (branch === undefined) return nodes.size;
    if ("node" in branch) return nodes.get(branch.node) ?? 0;
    return nodes.size + 16 + (offsets[branch.record] ?? 0);
  };
  const tree = [...nodes.keys()].flatMap(([left, right]) => {
    return encodeNode(value(left), value(right), recordSize);
  });
  return Uint8Array.from([
    ...tree,
    ...new Array<number>(16).fill(0),
    ...records.flat(),
    ...[0xab, 0xcd, 0xef],
    ...new TextEncoder().encode("MaxMind.com"),
    ...encodeValue({
      binary_format_major_version: 2,
      binary_format_minor_version: 0,
      build_epoch: BigInt(options.buildEpoch ?? 1_700_000_000),
      database_type: options.databaseType ?? "Test-Country",
      description: { en: "Made by a test" },
      ip_version: ipVersion,
      languages: ["en"],
      node_count: nodes.size,
      record_size: recordSize,
    }),
  ]);
}

/** A country database: ISO codes by block. */
export function buildCountryMmdb(countries: Readonly<Record<string, string>>): Uint8Array {
  const networks = Object.entries(countries).map(([block, code]) => {
    return [block, { country: { iso_code: code }, registered_country: { iso_code: code } }];
  });
  return buildMmdb({ networks: Object.fromEntries(networks) });
}

function blockBits(block: string, ipVersion: 4 | 6): number[] {
  const cidr = parseCidr(block);
  if (!cidr.ok) throw new TypeError(`cannot build a database: ${block}: ${cidr.reason}`);
  const { address, prefixLength } = cidr.value;
  const bits = [...ipToBytes(address)]
    .flatMap((octet) => [...octet.toString(2).padStart(8, "0")].map(Number))
    .slice(0, prefixLength);
  // IPv4 lies below ::/96.
  return ipVersion === 6 && address.family === 4
    ? [...new Array<number>(96).fill(0), ...bits]
    : bits;
}

function insert(root: Node, bits: readonly number[], record: number): void {
  let node = root;
  for (const bit of bits.slice(0, -1)) {
    const branch = node[bit];
    if (branch !== undefined && "node" in branch) {
      node = branch.node;
    } else {
      // A shorter block's record now stands on both sides.
      const next: Node = [branch, branch];
      node[bit] = { node: next };
      node = next;
    }
  }
  node[bits.at(-1) ?? 0] = { record };
}

function numberNodes(root: Node): Map<Node, number> {
  const numbers = new Map<Node, number>([[root, 0]]);
  for (const node of numbers.keys()) {
    for (const branch of node) {
      if (branch !== undefined && "node" in branch) numbers.set(branch.node, numbers.size);
    }
  }
  return numbers;
}

function encodeNode(left: number, right: number, recordSize: 24 | 28 | 32): number[] {
  if (recordSize === 28) {
    return [...octets(left, 3), (left >>> 24) << 4 | right >>> 24, ...octets(right, 3)];
  }
  return [...octets(left, recordSize / 8), ...octets(right, recordSize / 8)];
}

function encodeValue(value: MmdbValue): number[] {
  if (typeof value === "string") {
    const text = [...new TextEncoder().encode(value)];
    return [...control(2, text.length), ...text];
  }
  if (typeof value === "number") return [...control(6, 4), ...octets(value, 4)];
  if (typeof value === "bigint") {
    return [...control(9, 8), ...octets(Number(value >> 32n), 4), ...octets(Number(value), 4)];
  }
  if (typeof value === "boolean") return control(14, value ? 1 : 0);
  if (Array.isArray(value)) return [...control(11, value.length), ...value.flatMap(encodeValue)];
  const entries = Object.entries(value);
  return [
    ...control(7, entries.length),
    ...entries.flatMap(([key, item]) => [...encodeValue(key), ...encodeValue(item)]),
  ];
}

/** Types above 7 follow in an octet of their own. */
function control(type: number, size: number): number[] {
  if (size >= 285) throw new RangeError(`cannot encode a size of ${size}`);
  const low = Math.min(size, 29);
  const head = type < 8 ? [type << 5 | low] : [low, type - 7];
  return size < 29 ? head : [...head, size - 29];
}

function octets(value: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.floor(value / 2 ** (8 * (count - 1 - i))) & 255,
  );
}
