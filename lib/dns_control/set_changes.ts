import {
  foldCase,
  type Name,
  nameKey,
  type OctetString,
  octetString,
  type RecordSet,
  TYPE,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { StoredRecord } from "../dns_store/mod.ts";
import { type FieldProblem, invalidFields } from "../queue/mod.ts";
import {
  amendZone,
  apexProblems,
  cutProblems,
  nodeProblems,
  type RuleProblem,
  type SetChange,
  setOf,
  type Zone,
} from "../zones/mod.ts";

/** The records of one name and type as they are to be; none: the set goes. */
export interface WantedSet {
  readonly name: Name;
  readonly type: number;
  readonly records: readonly ZoneRecord[];
}

/** A set of records for answers. */
export function toSetChange({ name, type, records }: WantedSet): SetChange {
  const [first] = records;
  const owner = octetString(name);
  if (first === undefined) return { name: owner, type };
  const data = records.map((record) => octetString(record.data));
  const set: RecordSet = { type, ttl: first.ttl, data };
  return { name: owner, type, set };
}

/**
 * The zone with sets as they are to be.
 *
 * @param fieldOf gives a problem the field of the request that it is about.
 * @throws {RefusedError} `invalid_argument` if a rule of zones would be broken.
 */
export function amended(
  zone: Zone,
  sets: readonly SetChange[],
  fieldOf: (problem: RuleProblem) => string,
): Zone {
  const next = amendZone(zone, sets);
  const touched = new Set(sets.map(({ name }) => foldCase(name)));
  const found = [...apexProblems(next)];
  for (const key of new Set([...touched, ...hiddenBy(next, sets)])) {
    found.push(...nodeProblems(key, next), ...cutProblems(key, next));
  }
  const problems: FieldProblem[] = found.map((problem) => {
    return { field: fieldOf(problem), message: problem.message };
  });
  if (problems.length > 0) throw invalidFields(problems);
  return next;
}

/** Names below those that have become a cut or an alias: what they hold may be hidden now. */
function hiddenBy(zone: Zone, sets: readonly SetChange[]): OctetString[] {
  const hiding = sets.filter(({ type, set }) => {
    return set !== undefined && (type === TYPE.NS || type === TYPE.DNAME);
  }).map(({ name }) => foldCase(name)).filter((key) => {
    const node = zone.nodes.get(key);
    if (node === undefined || node.below === 0) return false;
    return key !== zone.apexKey || setOf(node, TYPE.DNAME) !== undefined;
  });
  if (hiding.length === 0) return [];
  return [...zone.nodes.keys()].filter((key) => hiding.some((top) => key.endsWith(top)));
}

/** Whether a record is at a zone's apex. */
export function isApex({ name }: Pick<StoredRecord, "name">, zone: Zone): boolean {
  return nameKey(name) === zone.apexKey;
}
