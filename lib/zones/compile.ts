import {
  type Name,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  type RecordSet,
  TYPE,
  typeToText,
  type ZoneRecord,
} from "../dns/mod.ts";
import { LookUp, type Zone } from "./zone.ts";

/** What {@link compileZone} makes: a zone, or every reason why there is none. */
export type ZoneResult =
  | { readonly ok: true; readonly zone: Zone }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A text of more problems than this is read by nobody. */
const MAX_PROBLEMS = 100;
const WILDCARD = "\x01*";
/** What may stand beside a CNAME: it speaks of the name itself (RFC 4034 §3 and §4). */
const BESIDE_ALIASES = new Set<number>([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

interface Node {
  readonly name: OctetString;
  readonly sets: { readonly type: number; ttl: number; readonly data: OctetString[] }[];
}

/** The names so far by their keys, and the zone's apex among them. */
interface Nodes {
  readonly all: Map<OctetString, Node>;
  readonly apex: Node;
  readonly originKey: OctetString;
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
  const problems: string[] = [];
  const all = new Map<OctetString, Node>();
  const { key: originKey, name } = new LookUp(octetString(origin));
  const nodes = { all, apex: addNode(all, originKey, name), originKey };
  for (const record of records) {
    const lookUp = new LookUp(octetString(record.name));
    if (lookUp.isBelow(originKey)) addRecord(addNames(nodes, lookUp), record);
    else problems.push(`${textOf(lookUp.name)} is outside of the zone`);
  }
  problems.push(...apexProblems(nodes.apex));
  for (const node of all.values()) problems.push(...nodeProblems(node, nodes));
  const { apex } = nodes;
  const soa = setIn(apex, TYPE.SOA);
  const data = soa?.data[0];
  if (problems.length > 0 || soa === undefined || data === undefined) {
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  const view = new DataView(octetsOf(data).buffer);
  const minimum = view.getUint32(data.length - 4);
  const negative: RecordSet = { type: TYPE.SOA, ttl: Math.min(soa.ttl, minimum), data: soa.data };
  const serial = view.getUint32(data.length - 20);
  const zone = { origin: name, apexKey: originKey, nodes: all, apex, negative, serial };
  return { ok: true, zone };
}

/** The node of a name; it and those above it are made if they are missing. */
function addNames({ all, originKey }: Nodes, { name, key, starts }: LookUp): Node {
  const known = all.get(key);
  if (known !== undefined) return known;
  for (const start of starts.slice(1)) {
    if (key.length - start <= originKey.length) break;
    const above = key.slice(start);
    if (all.has(above)) break;
    addNode(all, above, name.slice(start));
  }
  return addNode(all, key, name);
}

function addNode(nodes: Map<OctetString, Node>, key: OctetString, name: OctetString): Node {
  const node: Node = { name, sets: [] };
  nodes.set(key, node);
  return node;
}

function addRecord(node: Node, record: ZoneRecord): void {
  const { type, ttl } = record;
  const data = octetString(record.data);
  const set = setIn(node, type);
  if (set === undefined) return void node.sets.push({ type, ttl, data: [data] });
  set.ttl = Math.min(set.ttl, ttl);
  if (!set.data.includes(data)) set.data.push(data);
}

function setIn({ sets }: Node, type: number) {
  return sets.find((set) => set.type === type);
}

function apexProblems(apex: Node): string[] {
  const soas = setIn(apex, TYPE.SOA)?.data.length ?? 0;
  const problems: string[] = [];
  if (soas !== 1) problems.push(`the zone has ${soas} SOA records instead of one`);
  if (setIn(apex, TYPE.NS) === undefined) problems.push("the zone has no name servers (NS)");
  return problems;
}

function nodeProblems(node: Node, nodes: Nodes): string[] {
  const text = textOf(node.name);
  const problems: string[] = [];
  if (setIn(node, TYPE.SOA) !== undefined && node !== nodes.apex) {
    problems.push(`${text}: SOA is not at the zone's apex`);
  }
  for (const type of [TYPE.CNAME, TYPE.DNAME]) {
    const count = setIn(node, type)?.data.length ?? 0;
    if (count > 1) problems.push(`${text}: ${count} ${typeToText(type)} records instead of one`);
  }
  if (setIn(node, TYPE.CNAME) !== undefined) {
    const other = node.sets.find(({ type }) => !BESIDE_ALIASES.has(type));
    if (other !== undefined) problems.push(`${text}: ${typeToText(other.type)} beside CNAME`);
  }
  for (const type of node.name.startsWith(WILDCARD) ? [TYPE.NS, TYPE.DNAME] : []) {
    if (setIn(node, type)) problems.push(`${text}: ${typeToText(type)} at a wildcard`);
  }
  const above = aliasAbove(node.name, nodes);
  if (above !== undefined) problems.push(`${text} is below the DNAME at ${textOf(above)}`);
  return problems;
}

/** RFC 6672 §2.4: nothing is below a DNAME. */
function aliasAbove(name: OctetString, { all, originKey }: Nodes): OctetString | undefined {
  const { key, starts } = new LookUp(name);
  for (const start of starts.slice(1)) {
    if (key.length - start < originKey.length) return undefined;
    const node = all.get(key.slice(start));
    if (node !== undefined && setIn(node, TYPE.DNAME) !== undefined) return node.name;
  }
  return undefined;
}

function textOf(name: OctetString): string {
  return nameToText(octetsOf(name));
}
