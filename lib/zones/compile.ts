import {
  type Name,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  TYPE,
  type ZoneRecord,
} from "../dns/mod.ts";
import { readSoa } from "./negative.ts";
import { apexProblems, nodeProblems } from "./rules.ts";
import { LookUp, type Zone } from "./zone.ts";

/** What {@link compileZone} makes: a zone, or every reason why there is none. */
export type ZoneResult =
  | { readonly ok: true; readonly zone: Zone }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A text of more problems than this is read by nobody. */
const MAX_PROBLEMS = 100;

interface Node {
  readonly name: OctetString;
  readonly sets: { readonly type: number; ttl: number; readonly data: OctetString[] }[];
}

/**
 * Makes a zone of its records. Records that say the same are one; a set has the least of its
 * records' TTLs (RFC 2181 §5.2).
 *
 * What resolvers would read differently is refused: names outside of the zone, other data beside an
 * alias, several aliases, a delegation beside a DNAME or names below one, a zone without its one SOA
 * record or without name servers.
 */
export function compileZone(origin: Name, records: readonly ZoneRecord[]): ZoneResult {
  const steps = compileZoneInSteps(origin, records);
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/** {@link compileZone}, a step for each record and each name. */
export function* compileZoneInSteps(
  origin: Name,
  records: Iterable<ZoneRecord>,
): Generator<undefined, ZoneResult> {
  const problems: string[] = [];
  const all = new Map<OctetString, Node>();
  const { key: apexKey, name } = new LookUp(octetString(origin));
  const apex = addNode(all, apexKey, name);
  for (const record of records) {
    const lookUp = new LookUp(octetString(record.name));
    if (lookUp.isBelow(apexKey)) addRecord(addNames(all, lookUp, apexKey), record);
    else problems.push(`${textOf(lookUp.name)} is outside of the zone`);
    yield;
  }
  const names = { nodes: all, apexKey };
  problems.push(...apexProblems(names).map(({ message }) => message));
  for (const key of all.keys()) {
    problems.push(...nodeProblems(key, names).map(({ message }) => message));
    yield;
  }
  const soa = setIn(apex, TYPE.SOA);
  if (problems.length > 0 || soa === undefined) {
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  return { ok: true, zone: { origin: name, apexKey, nodes: all, apex, ...readSoa(soa) } };
}

/** The node of a name; it and those above it are made if they are missing. */
function addNames(
  all: Map<OctetString, Node>,
  { name, key, starts }: LookUp,
  apexKey: OctetString,
): Node {
  const known = all.get(key);
  if (known !== undefined) return known;
  for (const start of starts.slice(1)) {
    if (key.length - start <= apexKey.length) break;
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

function textOf(name: OctetString): string {
  return nameToText(octetsOf(name));
}
