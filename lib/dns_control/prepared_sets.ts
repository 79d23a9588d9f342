import { type Name, nameKey, nameToText, rdataToText, TYPE, typeToText } from "../dns/mod.ts";
import type { StoredRecord } from "../dns_store/mod.ts";
import { type FieldProblem, invalid, invalidFields, RefusedError } from "../queue/mod.ts";
import { readZoneName } from "./parse_requests.ts";
import type { DnsOperation } from "./operation.ts";
import type { ServedZones } from "./served_zones.ts";
import { compareSets, readSet, readSetName } from "./set_input.ts";
import type { WantedSet } from "./set_changes.ts";
import { type Place, planEdit, type PlannedEdit } from "./zone_edit.ts";

/** The records of a name and type of a zone as they are to be. */
export interface SetOfZone {
  readonly zone: string;
  /** Relative to the zone unless it ends in a dot. */
  readonly name: string;
  readonly type: string;
  /** Seconds; absent: that of the set there is, or an hour. */
  readonly ttl?: number | undefined;
  /** Each as a zone file has it; none: the set goes. */
  readonly values: readonly string[];
}

/** What becomes of a set, in full names. */
export interface PlannedSet {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
  readonly before: SetData;
  readonly after: SetData;
}

/** The data of a set; no values: there is none. */
export interface SetData {
  /** Seconds; 0 if there is none. */
  readonly ttl: number;
  readonly values: readonly string[];
}

/** What becomes of one zone. */
export interface ZonePlan {
  readonly place: Place;
  readonly edit: PlannedEdit;
  readonly sets: readonly PlannedSet[];
}

interface WantedZone {
  readonly origin: Name;
  readonly sets: { readonly input: SetOfZone; readonly at: string }[];
}

/** The sets of a request by their zones. */
export function readWantedSets(sets: readonly SetOfZone[]): WantedZone[] {
  const zones = new Map<string, WantedZone>();
  for (const [i, input] of sets.entries()) {
    const at = `sets[${i}]`;
    const origin = readZoneName(input.zone, `${at}.zone`);
    const key = nameKey(origin);
    const zone = zones.get(key) ?? { origin, sets: [] };
    zones.set(key, zone);
    zone.sets.push({ input, at });
  }
  return [...zones.values()];
}

/**
 * Looks at what is wanted of zones.
 *
 * @throws {RefusedError} as changes of single sets do, with `sets[0].` and so on before the fields;
 * `busy` if a zone is kept for another change.
 */
export function planSets(
  zones: readonly WantedZone[],
  context: { readonly served: ServedZones; readonly operation: DnsOperation },
): ZonePlan[] {
  return zones.map((zone) => planZone(zone, context));
}

function planZone(
  { origin, sets }: WantedZone,
  { served, operation }: { readonly served: ServedZones; readonly operation: DnsOperation },
): ZonePlan {
  served.refuseSecondary(origin);
  const place = served.find(origin);
  served.refuseHeld(place.zone.origin, operation);
  const seen = new Set<string>();
  const read = sets.map(({ input, at }) => {
    const found = within(at, () => planSet(place, input, served));
    const key = `${found.type} ${nameKey(found.name)}`;
    if (seen.has(key)) throw invalid(`${at}.name`, "this name and type are there twice");
    seen.add(key);
    return { ...found, at };
  });
  const [{ at } = { at: "sets" }] = sets;
  const edit = planEdit(place, {
    removed: read.flatMap(({ edit }) => edit.removed ?? []),
    added: read.flatMap(({ edit }) => edit.added ?? []),
    changed: read.flatMap(({ edit }) => edit.changed ?? []),
  }, {
    ...{ database: served.database, now: served.now, sets: read, operation },
    fieldOf: ({ type }) => `${at}.${type === undefined ? "name" : "values"}`,
  });
  const zone = nameToText(place.row.origin);
  const planned = read.filter(({ edit }) =>
    [edit.removed, edit.added, edit.changed].some((part) => (part?.length ?? 0) > 0)
  ).map(({ name, type, there, records }) => ({
    ...{ zone, name: nameToText(name), type: typeToText(type) },
    ...{ before: dataOf(there), after: dataOf(records) },
  }));
  return { place, edit, sets: planned };
}

function planSet(
  { row: { id, origin } }: Place,
  { name: nameText, type: typeText, ttl, values }: SetOfZone,
  { database }: ServedZones,
) {
  const { name, type } = readSetName(origin, { name: nameText, type: typeText });
  if (type === TYPE.SOA) throw invalid("type", "SOA is not changed in this way");
  const there = database.records.set(id, name, type);
  const wanted = values.length === 0 ? [] : readSet(origin, { name, type, there }, { ttl, values });
  return { name, type, there, ...compareSets(there, wanted) } satisfies WantedSet & {
    readonly there: readonly StoredRecord[];
  };
}

function dataOf(records: WantedSet["records"]): SetData {
  const values = records.map(({ type, data }) => rdataToText(type, data));
  return { ttl: records[0]?.ttl ?? 0, values };
}

/** Says of which part of a request a refusal is. */
function within<T>(at: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof RefusedError) || error.problems.length === 0) throw error;
    const problems: FieldProblem[] = error.problems.map(({ field, message }) => {
      return { field: `${at}.${field}`, message };
    });
    throw invalidFields(problems);
  }
}
