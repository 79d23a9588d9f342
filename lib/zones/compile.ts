import { type Name, nameToText, octetString, TYPE, type ZoneRecord } from "../dns/mod.ts";
import { readSoa } from "./negative.ts";
import { NodeBuilder } from "./node_builder.ts";
import { setOf } from "./node_chunk.ts";
import { apexProblems, nodeProblems } from "./rules.ts";
import { LookUp, type Zone } from "./zone.ts";

/** What {@link compileZone} makes: a zone, or every reason why there is none. */
export type ZoneResult =
  | { readonly ok: true; readonly zone: Zone }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A text of more problems than this is read by nobody. */
const MAX_PROBLEMS = 100;

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
  const builder = new NodeBuilder();
  const apexLookUp = new LookUp(octetString(origin));
  const { key: apexKey, name } = apexLookUp;
  builder.add(apexLookUp, apexKey);
  for (const record of records) {
    const lookUp = new LookUp(octetString(record.name));
    if (lookUp.isBelow(apexKey)) builder.addRecord(builder.add(lookUp, apexKey), record);
    else problems.push(`${nameToText(record.name)} is outside of the zone`);
    yield;
  }
  const nodes = yield* builder.build();
  const names = { nodes, apexKey };
  problems.push(...apexProblems(names).map(({ message }) => message));
  for (let id = 1; id <= builder.count; id++) {
    problems.push(...nodeProblems(builder.keyOf(id), names).map(({ message }) => message));
    yield;
  }
  const apex = nodes.get(apexKey);
  const soa = apex && setOf(apex, TYPE.SOA);
  if (problems.length > 0 || apex === undefined || soa === undefined) {
    return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
  }
  return { ok: true, zone: { origin: name, apexKey, nodes, apex, ...readSoa(soa) } };
}
