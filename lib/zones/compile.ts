import {
  type Name,
  nameKey,
  nameToText,
  type Rdata,
  type RecordSet,
  TYPE,
  typeToText,
  type ZoneRecord,
} from "../dns/mod.ts";
import { labelStarts, type Zone, type ZoneNode } from "./zone.ts";

/** What {@link compileZone} makes: a zone, or every reason why there is none. */
export type ZoneResult =
  | { readonly ok: true; readonly zone: Zone }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A text of more problems than this is read by nobody. */
const MAX_PROBLEMS = 100;
/** What may stand beside a CNAME: it speaks of the name itself (RFC 4034 §3 and §4). */
const BESIDE_ALIASES = new Set<number>([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

interface Node {
  readonly name: Name;
  readonly sets: Map<number, { ttl: number; readonly data: Rdata[] }>;
}

/**
 * Makes a zone of its records. Records that say the same are one; a set has the least of its
 * records' TTLs (RFC 2181 §5.2).
 *
 * What resolvers would read differently is refused: names outside of the zone, other data beside an
 * alias, several aliases, names below a DNAME, a zone without its one SOA record or without name
 * servers.
 */
export function compileZone(origin: Name, records: readonly ZoneRecord[]): ZoneResult {
  const nodes = new Map<string, Node>();
  const problems: string[] = [];
  const originKey = nameKey(origin);
  addNode(nodes, origin, originKey);
  for (const record of records) {
    const key = nameKey(record.name);
    if (!isWithin(record.name, key, { origin, originKey })) {
      problems.push(`${nameToText(record.name)} is outside of the zone`);
      continue;
    }
    addRecord(addAll(nodes, record.name, { key, origin }), record);
  }
  const apex = nodes.get(originKey) as Node;
  problems.push(...apexProblems(apex));
  for (const [key, node] of nodes) problems.push(...nodeProblems(node, { key, nodes, origin }));
  const soa = apex.sets.get(TYPE.SOA);
  const data = soa?.data[0];
  if (problems.length > 0 || soa === undefined || data === undefined) {
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const minimum = view.getUint32(data.length - 4);
  const negative: RecordSet = { type: TYPE.SOA, ttl: Math.min(soa.ttl, minimum), data: soa.data };
  const serial = view.getUint32(data.length - 20);
  return {
    ok: true,
    zone: { origin, nodes: finished(nodes), apex: finish(apex), negative, serial },
  };
}

function isWithin(
  name: Name,
  key: string,
  { origin, originKey }: { readonly origin: Name; readonly originKey: string },
): boolean {
  const start = name.length - origin.length;
  // The octets could be the same without being the same labels.
  return start >= 0 && key.endsWith(originKey) && labelStarts(name).includes(start);
}

/** The node of a name; it and those above it are made if they are missing. */
function addAll(
  nodes: Map<string, Node>,
  name: Name,
  { key, origin }: { readonly key: string; readonly origin: Name },
): Node {
  const known = nodes.get(key);
  if (known !== undefined) return known;
  for (const start of labelStarts(name).slice(1)) {
    if (name.length - start <= origin.length) break;
    const above = key.slice(start);
    if (nodes.has(above)) break;
    addNode(nodes, name.subarray(start), above);
  }
  return addNode(nodes, name, key);
}

function addNode(nodes: Map<string, Node>, name: Name, key: string): Node {
  const node: Node = { name, sets: new Map() };
  nodes.set(key, node);
  return node;
}

function addRecord({ sets }: Node, { type, ttl, data }: ZoneRecord): void {
  const set = sets.get(type);
  if (set === undefined) return void sets.set(type, { ttl, data: [data] });
  set.ttl = Math.min(set.ttl, ttl);
  if (!set.data.some((own) => isSame(own, data))) set.data.push(data);
}

function isSame(a: Rdata, b: Rdata): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

function apexProblems({ sets }: Node): string[] {
  const soas = sets.get(TYPE.SOA)?.data.length ?? 0;
  const problems: string[] = [];
  if (soas !== 1) problems.push(`the zone has ${soas} SOA records instead of one`);
  if (!sets.has(TYPE.NS)) problems.push("the zone has no name servers (NS)");
  return problems;
}

function nodeProblems(
  { name, sets }: Node,
  { key, nodes, origin }: {
    readonly key: string;
    readonly nodes: ReadonlyMap<string, Node>;
    readonly origin: Name;
  },
): string[] {
  const text = nameToText(name);
  const problems: string[] = [];
  const isApex = name.length === origin.length;
  if (sets.has(TYPE.SOA) && !isApex) problems.push(`${text}: SOA is not at the zone's apex`);
  for (const type of [TYPE.CNAME, TYPE.DNAME]) {
    const count = sets.get(type)?.data.length ?? 0;
    if (count > 1) problems.push(`${text}: ${count} ${typeToText(type)} records instead of one`);
  }
  if (sets.has(TYPE.CNAME)) {
    const other = [...sets.keys()].find((type) => !BESIDE_ALIASES.has(type));
    if (other !== undefined) problems.push(`${text}: ${typeToText(other)} beside CNAME`);
  }
  const isWildcard = name[0] === 1 && name[1] === 0x2a;
  for (const type of isWildcard ? [TYPE.NS, TYPE.DNAME] : []) {
    if (sets.has(type)) problems.push(`${text}: ${typeToText(type)} at a wildcard`);
  }
  const above = aliasAbove(name, { key, nodes, origin });
  if (above !== undefined) problems.push(`${text} is below the DNAME at ${nameToText(above)}`);
  return problems;
}

/** RFC 6672 §2.4: nothing is below a DNAME. */
function aliasAbove(
  name: Name,
  { key, nodes, origin }: {
    readonly key: string;
    readonly nodes: ReadonlyMap<string, Node>;
    readonly origin: Name;
  },
): Name | undefined {
  for (const start of labelStarts(name).slice(1)) {
    if (name.length - start < origin.length) return undefined;
    const node = nodes.get(key.slice(start));
    if (node?.sets.has(TYPE.DNAME)) return node.name;
  }
  return undefined;
}

function finished(nodes: ReadonlyMap<string, Node>): Map<string, ZoneNode> {
  const finished = new Map<string, ZoneNode>();
  for (const [key, node] of nodes) finished.set(key, finish(node));
  return finished;
}

function finish({ name, sets }: Node): ZoneNode {
  const own = new Map<number, RecordSet>();
  for (const [type, { ttl, data }] of sets) own.set(type, { type, ttl, data });
  return { name, sets: own };
}
