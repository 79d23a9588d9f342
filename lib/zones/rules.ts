import {
  nameToText,
  octetsOf,
  type OctetString,
  type RecordSet,
  TYPE,
  typeToText,
} from "../dns/mod.ts";
import { setOf, type ZoneNode } from "./node_chunk.ts";
import { LookUp } from "./zone.ts";

const WILDCARD = "\x01*";
/** What may stand beside a CNAME: it speaks of the name itself (RFC 4034 §3 and §4). */
const BESIDE_ALIASES = new Set<number>([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);
/** What a parent says of a cut beside its name servers; addresses are glue (RFC 1034 §4.2.1). */
const AT_CUTS = new Set<number>([TYPE.NS, TYPE.DS, TYPE.A, TYPE.AAAA, TYPE.RRSIG, TYPE.NSEC]);
const GLUE = new Set<number>([TYPE.A, TYPE.AAAA]);

/** What rules look at: the names of a zone by their keys. */
export interface ZoneNames {
  readonly nodes: ReadonlyMap<OctetString, ZoneNode>;
  readonly apexKey: OctetString;
}

/** A name of a zone, and what about it resolvers would read differently. */
export interface RuleProblem {
  /** Of the name, its case folded. */
  readonly key: OctetString;
  /** The type of records that it is about; absent: the name. */
  readonly type?: number;
  readonly message: string;
}

/** The apex has one SOA record and name servers (RFC 1035 §5.2). */
export function apexProblems({ nodes, apexKey }: ZoneNames): RuleProblem[] {
  const problems: RuleProblem[] = [];
  const apex = nodes.get(apexKey);
  const count = setIn(apex, TYPE.SOA)?.data.length ?? 0;
  if (count !== 1) {
    const message = `the zone has ${count} SOA records instead of one`;
    problems.push({ key: apexKey, type: TYPE.SOA, message });
  }
  if (setIn(apex, TYPE.NS) === undefined) {
    const message = "the zone has no name servers (NS)";
    problems.push({ key: apexKey, type: TYPE.NS, message });
  }
  return problems;
}

/** What is wrong at one name. */
export function nodeProblems(key: OctetString, names: ZoneNames): RuleProblem[] {
  const node = names.nodes.get(key);
  if (node === undefined) return [];
  const text = textOf(node.name);
  const problems: RuleProblem[] = [];
  const note = (message: string, type?: number) =>
    problems.push({ key, message, ...type !== undefined && { type } });
  if (setIn(node, TYPE.SOA) !== undefined && key !== names.apexKey) {
    note(`${text}: SOA is not at the zone's apex`, TYPE.SOA);
  }
  for (const type of [TYPE.CNAME, TYPE.DNAME]) {
    const count = setIn(node, type)?.data.length ?? 0;
    if (count > 1) note(`${text}: ${count} ${typeToText(type)} records instead of one`, type);
  }
  if (setIn(node, TYPE.CNAME) !== undefined) {
    const other = node.sets.find(({ type }) => !BESIDE_ALIASES.has(type));
    if (other !== undefined) note(`${text}: ${typeToText(other.type)} beside CNAME`);
  }
  // Its names would be both elsewhere and with other servers; Knot DNS refuses such a zone, too.
  const isCut = key !== names.apexKey && setIn(node, TYPE.NS) !== undefined;
  if (isCut && setIn(node, TYPE.DNAME) !== undefined) note(`${text}: NS beside DNAME`);
  for (const type of node.name.startsWith(WILDCARD) ? [TYPE.NS, TYPE.DNAME] : []) {
    if (setIn(node, type)) note(`${text}: ${typeToText(type)} at a wildcard`, type);
  }
  const above = firstAbove(node.name, names, (it) => setIn(it, TYPE.DNAME) !== undefined);
  if (above !== undefined) note(`${text} is below the DNAME at ${textOf(above.name)}`);
  return problems;
}

/**
 * What of a name's records nobody would ever be answered, because the zone is cut at or above it. A
 * server that loads a zone may leave them alone; whoever writes them made a mistake.
 */
export function cutProblems(key: OctetString, names: ZoneNames): RuleProblem[] {
  const node = names.nodes.get(key);
  if (node === undefined) return [];
  const problems: RuleProblem[] = [];
  const hides = (it: ZoneNode, own: OctetString) => {
    return own !== names.apexKey && setIn(it, TYPE.NS) !== undefined;
  };
  const cut = firstAbove(node.name, names, hides);
  const allowed = cut !== undefined ? GLUE : hides(node, key) ? AT_CUTS : undefined;
  for (const { type } of allowed === undefined ? [] : node.sets) {
    if (allowed?.has(type)) continue;
    const where = cut === undefined ? "at" : "below";
    const message = `${textOf(node.name)}: ${typeToText(type)} ${where} the delegation of ` +
      `${textOf((cut ?? node).name)}, where other servers are asked`;
    problems.push({ key, type, message });
  }
  return problems;
}

/** The nearest name above another one of which something holds, up to the apex. */
function firstAbove(
  name: OctetString,
  { nodes, apexKey }: ZoneNames,
  holds: (node: ZoneNode, key: OctetString) => boolean,
): ZoneNode | undefined {
  const { key, starts } = new LookUp(name);
  for (const start of starts.slice(1)) {
    if (key.length - start < apexKey.length) return undefined;
    const above = key.slice(start);
    const node = nodes.get(above);
    if (node !== undefined && holds(node, above)) return node;
  }
  return undefined;
}

function setIn(node: ZoneNode | undefined, type: number): RecordSet | undefined {
  return node && setOf(node, type);
}

function textOf(name: OctetString): string {
  return nameToText(octetsOf(name));
}
