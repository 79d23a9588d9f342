import {
  isLaterSerial,
  type Name,
  nameKey,
  nameToText,
  octetsOf,
  rdataKey,
  serialOfSoa,
  TYPE,
  typeToText,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { SecondaryRow } from "../dns_store/mod.ts";
import { RefusedError } from "../queue/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import type { Zone, ZoneChange } from "../zones/mod.ts";
import { compare, serialOfFile, tidied } from "./comparison.ts";
import type { DnsOperation } from "./operation.ts";
import { compiledInSlices, type ServedZones } from "./served_zones.ts";
import { MAX_RECORDS, MAX_ZONES } from "./zone_changes.ts";

/** One change of a zone, the SOA record of each side first. */
export interface ZoneStep {
  readonly removed: readonly ZoneRecord[];
  readonly added: readonly ZoneRecord[];
}

const NSEC3 = 50;
/** What only those that understand them pass on with every answer: without them it is forged. */
const SIGNATURES: ReadonlySet<number> = new Set([TYPE.RRSIG, TYPE.NSEC, NSEC3]);

/**
 * Writes a zone as its primary has it, whatever its serial; only within `exclusive`. Rules that only
 * whoever writes a zone has to keep are left to its primary.
 *
 * @throws {RefusedError}
 */
export async function writeWhole(
  served: ServedZones,
  { origin, records, state, operation }: {
    readonly origin: Name;
    readonly records: readonly ZoneRecord[];
    readonly state: SecondaryRow;
    readonly operation: DnsOperation;
  },
): Promise<void> {
  refuseSigned(records);
  const { database } = served;
  const wanted = await runInSlices(tidied(records));
  const compiled = await compiledInSlices(origin, wanted);
  if (!compiled.ok) throw refused(compiled.problems[0] ?? "it is no zone");
  const { zone } = compiled;
  const row = database.zones.find(origin);
  const before = served.table.at(zone.origin);
  const there = row === undefined ? [] : await runInSlices(database.records.ofZoneInSteps(row.id));
  if (database.records.count() - there.length + wanted.length > MAX_RECORDS) {
    throw refused(`there would be over ${MAX_RECORDS} records`);
  }
  if (row === undefined && database.zones.list().length >= MAX_ZONES) {
    throw refused(`there are ${MAX_ZONES} zones already`);
  }
  const author = { ...operation, time: served.now() };
  const change: ZoneChange = { kind: "set", zone };
  const back: ZoneChange | undefined = before && { kind: "set", zone: before };
  const parts = { change, ...back && { back } };
  if (row === undefined) {
    const write = function* () {
      const made = yield* database.createZoneInSteps(origin, wanted, author);
      database.secondaries.set(made.id, state);
    };
    await served.commit({ write, rows: wanted.length, ...parts }, operation);
    return;
  }
  const edit = await runInSlices(compare(there, wanted));
  const serial = serialOfFile(wanted) ?? 0;
  const from = database.serial(row);
  const write = function* () {
    yield* database.changeInSteps(row, { ...edit, serial }, author);
    // A serial that does not grow tells nobody what has changed.
    if (!isLaterSerial(serial, from)) database.journal.clear(row.id);
    database.secondaries.set(row.id, state);
  };
  const rows = edit.added.length + edit.removed.length + edit.changed.length;
  await served.commit({ write, rows, ...parts }, operation);
}

/**
 * What remains of several steps, one after the other.
 *
 * @throws {RefusedError} if a step takes away what is not there, or adds what is: then what is here is
 * not what the primary takes it for.
 */
export function netChange(zone: Zone, steps: readonly ZoneStep[]): ZoneStep {
  const removed = new Map<string, ZoneRecord>();
  const added = new Map<string, ZoneRecord>();
  let soa: ZoneRecord | undefined;
  for (const step of steps) {
    refuseSigned(step.added);
    for (const record of step.removed) {
      if (record.type === TYPE.SOA) continue;
      const key = keyOf(record);
      if (added.delete(key)) continue;
      if (removed.has(key) || !has(zone, record)) {
        throw refused(`a step removes ${wordsOf(record)}, which is not there`);
      }
      removed.set(key, record);
    }
    for (const record of step.added) {
      if (record.type === TYPE.SOA) {
        soa = record;
        continue;
      }
      const key = keyOf(record);
      // As it was: who sends it with another TTL changes that.
      if (removed.get(key)?.ttl === record.ttl && removed.delete(key)) continue;
      if (added.has(key) || (!removed.has(key) && has(zone, record))) {
        throw refused(`a step adds ${wordsOf(record)}, which is there`);
      }
      added.set(key, record);
    }
  }
  if (soa === undefined || !isLaterSerial(serialOfSoa(soa.data), zone.serial)) {
    throw refused("the steps lead to no later serial");
  }
  return { removed: [...soaOf(zone), ...removed.values()], added: [soa, ...added.values()] };
}

function has({ nodes }: Zone, { name, type, data }: ZoneRecord): boolean {
  const set = nodes.get(nameKey(name))?.sets.find((set) => set.type === type);
  const own = rdataKey(type, data);
  return set?.data.some((other) => rdataKey(type, octetsOf(other)) === own) === true;
}

function soaOf({ origin, apex }: Zone): ZoneRecord[] {
  const name = octetsOf(origin);
  return apex.sets.filter(({ type }) => type === TYPE.SOA).flatMap(({ type, ttl, data }) =>
    data.map((own) => ({ name, type, ttl, data: octetsOf(own) }))
  );
}

function keyOf({ name, type, data }: ZoneRecord): string {
  return `${nameKey(name)} ${type} ${rdataKey(type, data)}`;
}

function refuseSigned(records: readonly ZoneRecord[]): void {
  const signed = records.find(({ type }) => SIGNATURES.has(type));
  if (signed === undefined) return;
  throw refused("it is signed by its primary, whose signatures cannot be passed on");
}

function refused(message: string): RefusedError {
  return new RefusedError("failed_precondition", message);
}

function wordsOf({ name, type }: ZoneRecord): string {
  return `${nameToText(name)} ${typeToText(type)}`;
}
